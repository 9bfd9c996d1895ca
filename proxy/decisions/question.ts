import type { ChunkAnswer, Decision, EventOneOf, Findings, MessageAnswer } from '../../proto/codec/index.ts'
import type { Fault } from '../pipeline/faults.ts'

export type Answer =
  | { readonly kind: 'decision', readonly value: Decision }
  | { readonly kind: 'chunk', readonly value: ChunkAnswer }
  | { readonly kind: 'message', readonly value: MessageAnswer }
  | { readonly kind: 'findings', readonly value: Findings }

export interface Terms {
  /** From the call to the answer: queue, encode and wait included. */
  readonly timeoutMs: number
  /** As far as the agent may have it moved, once. */
  readonly maxTimeoutMs: number
}

/** One event that waits for its answer: settled once, by a reply, the deadline or the end of the connection. */
export class Question {
  /** Another one when the question is put again on another connection. */
  sequence: number
  /** Whether a chunk answer fits: only to events of a body that is streamed. */
  readonly takesChunk: boolean
  readonly event: EventOneOf
  readonly answer: Promise<Answer>
  /** How long it may take, counted from the start. */
  allowedMs: number
  /** Called once, when it is answered or has failed. */
  onSettled: (fault: Fault | undefined) => void = () => {}
  readonly #startMs: number
  readonly #maxTimeoutMs: number
  readonly #onExpire: (question: Question) => void
  #resolve!: (answer: Answer) => void
  #reject!: (fault: Fault) => void
  #timer: NodeJS.Timeout
  #moved = false

  constructor (sequence: number, takesChunk: boolean, startMs: number, terms: Terms, event: EventOneOf, onExpire: (question: Question) => void) {
    this.sequence = sequence
    this.takesChunk = takesChunk
    this.event = event
    this.allowedMs = terms.timeoutMs
    this.#startMs = startMs
    this.#maxTimeoutMs = Math.max(terms.maxTimeoutMs, terms.timeoutMs)
    this.#onExpire = onExpire
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever asked may have gone by the time it fails (a body nobody reads any more): that must not end the process.
    this.answer.catch(() => {})
    this.#timer = this.#startTimer()
  }

  /** Whole milliseconds until the deadline, at least 1: 0 says on the wire that no reply is awaited. */
  get leftMs (): number {
    return Math.max(1, Math.ceil(this.allowedMs - (performance.now() - this.#startMs)))
  }

  resolve (answer: Answer): void {
    clearTimeout(this.#timer)
    this.onSettled(undefined)
    this.#resolve(answer)
  }

  reject (fault: Fault): void {
    clearTimeout(this.#timer)
    this.onSettled(fault)
    this.#reject(fault)
  }

  /** Moves the deadline to `ms` from now, at the most to the operator's bound, never nearer. False when it was moved before. */
  moreTime (ms: number): boolean {
    if (this.#moved) return false
    this.#moved = true
    clearTimeout(this.#timer)
    const spentMs = performance.now() - this.#startMs
    this.allowedMs = Math.max(this.allowedMs, Math.min(spentMs + ms, this.#maxTimeoutMs))
    this.#timer = this.#startTimer()
    return true
  }

  #startTimer (): NodeJS.Timeout {
    return setTimeout(() => this.#onExpire(this), this.leftMs)
  }
}
