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

/** One of several tries of an exchange. One that is on its own can be given up while the exchange goes on, and has a clock. */
export class Trial implements EndListener, Watcher {
  readonly target: Target
  /** It was made because another one took long, not because another one failed. */
  readonly hedge: boolean
  readonly startedMs: number
  /** Once there is a connection for it. */
  attempt: Attempt | StreamAttempt | undefined = undefined
  /** Until the head of the answer; 0 when nobody but the exchange was told. */
  ms = 0
  readonly #x: Exchange
  readonly #own: EndSignal | undefined
  #watcher: Watcher
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (x: Exchange, target: Target, startedMs: number, { onItsOwn, hedge }: { readonly onItsOwn: boolean, readonly hedge: boolean }) {
    this.#x = x
    this.target = this.#watcher = target
    this.startedMs = startedMs
    this.hedge = hedge
    this.#own = onItsOwn ? new EndSignal() : undefined
    if (!onItsOwn) return
    if (x.ending.reason === undefined) x.ending.listen(this)
    else this.#own?.end(x.ending.reason)
  }

  /** Says when its answer is not wanted any more. */
  get ending (): EndSignal {
    return this.#own ?? this.#x.ending
  }

  /** It is over when no answer has begun by then; a client that takes long to say its request is not counted against the target. */
  endIn (ms: number): void {
    if (ms === Infinity) return
    this.#timer = setTimeout(() => {
      if (this.attempt?.uploading === true) this.endIn(ms)
      else this.#own?.end(new Fault('UPSTREAM_TIMEOUT', `this try took more than ${ms} ms`))
    }, ms)
  }

  onExchangeEnd (reason: Fault): void {
    this.#own?.end(reason)
  }

  /** Its answer is not wanted any more. */
  giveUp (): void {
    this.detach()
    this.#own?.end(notWanted)
  }

  /** What is left of it has nothing to do with the exchange. */
  detach (): void {
    clearTimeout(this.#timer)
    const listener = this.#own === undefined ? this.attempt : this
    if (listener !== undefined) this.#x.ending.ignore(listener)
  }

  /** The target has certainly done nothing about the request. */
  get unsent (): boolean {
    return this.attempt === undefined || !this.attempt.begun || this.attempt.unprocessed
  }

  // As the watcher of what it is, and hands on.

  watchedBy (watcher: Watcher): Watcher {
    this.#watcher = watcher
    return this.#own === undefined ? watcher : this
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
