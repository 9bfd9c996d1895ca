import { EndSignal, type EndListener } from '../../pipeline/end-signal.ts'
import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import { Fault } from '../../pipeline/faults.ts'
import type { Attempt, Watcher } from '../attempt.ts'
import type { StreamAttempt } from '../stream-attempt.ts'
import type { Target } from '../target.ts'

/** What came of a try: an answer, or why there is none. */
export interface Ended {
  readonly trial: Trial
  readonly reply: Reply | undefined
  readonly error: Error | undefined
}

/** One of several tries of an exchange: it can be given up while the exchange goes on. */
export class Trial implements EndListener, Watcher {
  readonly ending = new EndSignal()
  readonly target: Target
  /** It was made because another one took long, not because another one failed. */
  readonly hedge: boolean
  readonly startedMs: number
  /** Once there is a connection for it. */
  attempt: Attempt | StreamAttempt | undefined = undefined
  /** Until the head of the answer. */
  ms = 0
  #watcher: Watcher
  readonly #x: Exchange
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (x: Exchange, target: Target, startedMs: number, hedge: boolean) {
    this.#x = x
    this.target = this.#watcher = target
    this.startedMs = startedMs
    this.hedge = hedge
    if (x.ending.reason === undefined) x.ending.listen(this)
    else this.ending.end(x.ending.reason)
  }

  /** It is over when no answer has begun by then; a client that takes long to say its request is not counted against the target. */
  endIn (ms: number): void {
    if (ms === Infinity) return
    this.#timer = setTimeout(() => {
      if (this.attempt?.uploading === true) this.endIn(ms)
      else this.ending.end(new Fault('UPSTREAM_TIMEOUT', `this try took more than ${ms} ms`))
    }, ms)
  }

  onExchangeEnd (reason: Fault): void {
    this.ending.end(reason)
  }

  /** Its answer is not wanted any more. */
  giveUp (): void {
    this.detach()
    this.ending.end(notWanted)
  }

  /** What is left of it has nothing to do with the exchange. */
  detach (): void {
    clearTimeout(this.#timer)
    this.#x.ending.ignore(this)
  }

  /** The target has certainly done nothing about the request. */
  get unsent (): boolean {
    return this.attempt === undefined || !this.attempt.begun || this.attempt.unprocessed
  }

  // As the watcher of what it is, and hands on.

  watchedBy (watcher: Watcher): this {
    this.#watcher = watcher
    return this
  }

  answered (status: number, ms: number): void {
    clearTimeout(this.#timer)
    this.ms = ms
    this.#watcher.answered(status, ms)
  }

  failed (fault: Fault | undefined, ms: number): void {
    this.#watcher.failed(fault, ms)
  }

  broke (status: number, fault: Fault): void {
    this.#watcher.broke(status, fault)
  }

  tunnelled (): void {
    this.#watcher.tunnelled()
  }

  over (tunnel: boolean): void {
    this.detach()
    this.#watcher.over(tunnel)
  }
}

/** One object for all: nobody reads it. */
const notWanted = new Fault('CLIENT_GONE', 'another target has answered')
