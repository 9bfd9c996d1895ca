import { decodeFromAgent, encodeToAgent, type Event, type FromAgent, type Reply, type ToAgent } from '../../proto/codec/index.ts'
import { Numbered } from '../../proto/numbered.ts'
import type { Program } from '../program.ts'
import { handedOver } from './messages.ts'
import type { Worker } from './worker.ts'

interface Routed {
  readonly id: number
  /** Undefined when the thread has ended. */
  worker: Worker | undefined
  /** Sequences of the events whose reply the proxy awaits. */
  awaited: number[]
  /** The worker has nothing of it any more; replies may still be on their way. */
  forgotten: boolean
}

/** What a stream needs of the pool. */
export interface Pool {
  pick (): Worker | undefined
  closed (stream: RoutedStream): void
}

/** One `Process` stream whose exchanges are spread over workers. All events of an exchange go to the same one. */
export class RoutedStream {
  readonly id: number
  readonly #program: Program
  readonly #pool: Pool
  readonly #send: (message: FromAgent) => void
  readonly #exchanges = new Numbered<Routed>()
  #highest = 0
  /** When the last of the answers that are awaited is too late, in milliseconds of `performance.now`. */
  #lastDeadlineMs = 0
  /** What to do when nothing is owed any more. */
  #finished: (() => void) | undefined

  constructor (id: number, program: Program, pool: Pool, send: (message: FromAgent) => void) {
    this.id = id
    this.#program = program
    this.#pool = pool
    this.#send = send
  }

  receive ({ events }: ToAgent): void {
    const batches = new Map<Worker, Event[]>()
    const refused: Reply[] = []
    for (const event of events) {
      const routed = this.#exchanges.get(event.exchange) ?? this.#begin(event, refused)
      if (routed === undefined) continue
      if (routed.worker === undefined) {
        this.#orphaned(event, routed, refused)
        continue
      }
      this.#expect(event, routed, routed.worker)
      const batch = batches.get(routed.worker)
      if (batch) batch.push(event)
      else batches.set(routed.worker, [event])
    }
    for (const [worker, batch] of batches) worker.post({ kind: 'events', stream: this.id, bytes: handedOver(encodeToAgent({ events: batch })) })
    if (refused.length > 0) this.#send({ replies: refused })
  }

  /** As that of `AgentStream`. */
  finish (done: () => void): void {
    const timer = setTimeout(() => this.#finished?.(), Math.max(0, this.#lastDeadlineMs - performance.now())).unref()
    this.#finished = () => {
      clearTimeout(timer)
      this.#finished = undefined
      done()
    }
    this.#lookForEnd()
  }

  #lookForEnd (): void {
    for (const { awaited } of this.#exchanges.values()) if (awaited.length > 0) return
    this.#finished?.()
  }

  /** Nothing waits here: workers collect the replies of one turn. */
  flush (): void {}

  close (): void {
    const workers = new Set<Worker>()
    for (const routed of this.#exchanges.values()) {
      if (routed.worker) workers.add(routed.worker)
      this.#settle(routed)
      this.#forget(routed.id)
    }
    for (const worker of workers) worker.post({ kind: 'close', stream: this.id })
    this.#pool.closed(this)
  }

  replied (bytes: Uint8Array): void {
    const message = decodeFromAgent(Buffer.from(bytes.buffer))
    for (const { exchange, sequence, kind } of message.replies) {
      const routed = this.#exchanges.get(exchange)
      if (routed === undefined || kind === 'more_time' || kind === 'credit') continue
      const at = routed.awaited.indexOf(sequence)
      if (at >= 0) routed.awaited.splice(at, 1)
      if (at >= 0 && routed.worker) routed.worker.owed--
      if (routed.forgotten && routed.awaited.length === 0) this.#forget(exchange)
    }
    this.#send(message)
    if (this.#finished !== undefined) this.#lookForEnd()
  }

  forgotten (exchange: number): void {
    const routed = this.#exchanges.get(exchange)
    if (routed === undefined) return
    routed.forgotten = true
    if (routed.awaited.length === 0) this.#forget(exchange)
  }

  /** A thread has ended: whoever waits for it gets an error, and so does whoever comes for it later. */
  lost (worker: Worker, code: string): void {
    const replies: Reply[] = []
    for (const routed of this.#exchanges.values()) {
      if (routed.worker !== worker) continue
      for (const sequence of routed.awaited) replies.push(refusal(routed.id, sequence, code, 'the worker that ran its handler has ended'))
      this.#settle(routed)
      routed.worker = undefined
      if (routed.forgotten) this.#forget(routed.id)
    }
    if (replies.length > 0) this.#send({ replies })
    if (this.#finished !== undefined) this.#lookForEnd()
  }

  #begin (event: Event, refused: Reply[]): Routed | undefined {
    const refuse = (code: string, message: string, retryable = false): undefined => {
      if (event.timeoutMs > 0) refused.push(refusal(event.exchange, event.sequence, code, message, retryable))
    }
    // An exchange that the agent is done with may still be cancelled and completed.
    if (event.kind !== 'request_headers') return refuse('unknown_exchange', `no exchange ${event.exchange} is open`)
    if (event.exchange <= this.#highest) return refuse('bad_event', `exchange number ${event.exchange} was used before`)
    this.#highest = event.exchange
    const why = this.#program.refusal
    if (why) return refuse(why.code, why.message, true)
    const worker = this.#pool.pick()
    if (worker === undefined) return refuse('busy', 'all workers have too much to do', true)
    this.#program.opened()
    const routed: Routed = { id: event.exchange, worker, awaited: [], forgotten: false }
    this.#exchanges.set(event.exchange, routed)
    return routed
  }

  #expect (event: Event, routed: Routed, worker: Worker): void {
    // Nobody awaits the answers of a cancelled exchange.
    if (event.kind === 'cancel') return this.#settle(routed)
    if (event.timeoutMs === 0) return
    routed.awaited.push(event.sequence)
    this.#lastDeadlineMs = Math.max(this.#lastDeadlineMs, performance.now() + event.timeoutMs)
    worker.owes(1)
  }

  #orphaned (event: Event, { forgotten }: Routed, refused: Reply[]): void {
    if (event.timeoutMs > 0) refused.push(refusal(event.exchange, event.sequence, 'worker_crashed', 'the worker that ran its handlers has ended'))
    if (event.kind === 'complete' && !forgotten) this.#forget(event.exchange)
  }

  #settle (routed: Routed): void {
    routed.worker?.excuse(routed.awaited.length)
    routed.awaited = []
  }

  #forget (id: number): void {
    if (this.#exchanges.delete(id)) this.#program.closed()
  }
}

function refusal (exchange: number, sequence: number, code: string, message: string, retryable = false): Reply {
  return { exchange, sequence, kind: 'error', value: { code, message, retryable } }
}
