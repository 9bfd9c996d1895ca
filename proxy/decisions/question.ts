import type { ChunkAnswer, Decision } from '../../proto/codec/index.ts'
import type { Fault } from '../pipeline/faults.ts'

export type Answer =
  | { readonly kind: 'decision', readonly value: Decision }
  | { readonly kind: 'chunk', readonly value: ChunkAnswer }

export interface Terms {
  /** From the call to the applied answer: queue, encode and wait included. */
  readonly timeoutMs: number
  /** As far as the agent may have it moved, once. */
  readonly maxTimeoutMs: number
}

/** One event that waits for its answer: settled once, by a reply, the deadline or the end of the connection. */
export class Question {
  readonly sequence: number
  /** Whether a chunk answer fits: only to events of a body that is streamed. */
  readonly takesChunk: boolean
  readonly answer: Promise<Answer>
  readonly #startMs: number
  readonly #maxTimeoutMs: number
  readonly #onExpire: (question: Question) => void
  #resolve!: (answer: Answer) => void
  #reject!: (fault: Fault) => void
  #timer: NodeJS.Timeout
  #moved = false

  constructor (sequence: number, takesChunk: boolean, startMs: number, terms: Terms, onExpire: (question: Question) => void) {
    this.sequence = sequence
    this.takesChunk = takesChunk
    this.#startMs = startMs
    this.#maxTimeoutMs = terms.maxTimeoutMs
    this.#onExpire = onExpire
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#timer = this.#expireIn(terms.timeoutMs)
  }

  resolve (answer: Answer): void {
    clearTimeout(this.#timer)
    this.#resolve(answer)
  }

  reject (fault: Fault): void {
    clearTimeout(this.#timer)
    this.#reject(fault)
  }

  /** Moves the deadline to `ms` from now, at the most to the operator's bound. False when it was moved before. */
  moreTime (ms: number): boolean {
    if (this.#moved) return false
    this.#moved = true
    clearTimeout(this.#timer)
    const spent = performance.now() - this.#startMs
    this.#timer = this.#expireIn(Math.min(spent + ms, this.#maxTimeoutMs))
    return true
  }

  /** `ms` counts from the start of the call, not from now. */
  #expireIn (ms: number): NodeJS.Timeout {
    const left = Math.max(0, ms - (performance.now() - this.#startMs))
    return setTimeout(() => this.#onExpire(this), left)
  }
}
