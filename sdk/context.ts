import { noEntries } from '../proto/codec/index.ts'
import { ExchangeEnded } from './failure.ts'
import { checkText } from './headers.ts'
import type { Log } from './log.ts'
import type { Metrics } from './metrics.ts'
import type { Store } from './store/store.ts'
import type { Condition } from './vitals.ts'

/** What a handler knows besides request and response. The same object through all handlers of an exchange. */
export interface Context<C, S> {
  /** The operator's configuration, as this exchange began with it. */
  readonly config: C
  /** What `prepare` made of it. */
  readonly state: S
  /** The proxy's name for that configuration. */
  readonly configVersion: string
  /** Aborted when nobody waits for the decision any longer: client gone, deadline over, another agent decided. */
  readonly signal: AbortSignal
  /** Milliseconds until the proxy gives up waiting for the answer to the current event; Infinity when it awaits none. */
  readonly deadlineMs: number
  /** JSON lines on stderr, which the proxy merges into its own log. */
  readonly log: Log
  /** Figures of the agent's own, which the proxy shows on its page. */
  readonly metrics: Metrics
  /** For an agent that notices that it cannot do its work as it should. */
  readonly health: Condition
  /** Facts from earlier agents; what is set here goes to later ones and to the access log. */
  readonly attributes: Attributes
  /** Whatever the agent wants to remember of this exchange from one handler to the next. */
  readonly memory: Map<unknown, unknown>
  /** Asks, once per answer, for a deadline this many milliseconds from now. The operator's `max-timeout-ms` is the ceiling. */
  moreTime (ms: number): void
  /** What the agent remembers beyond this exchange. Its methods reject with `AgentFailure` "store_down" while it cannot be reached. */
  readonly store: Store
  /**
   * Work that goes on after the answer: writing a record, telling another service. Errors are logged, and an agent that drains waits for it, as
   * long as its drain time-out allows. False when a thousand pieces are under way: a function is not called then, a promise not waited for.
   */
  waitUntil (work: PromiseLike<unknown> | (() => unknown)): boolean
}

/** Facts about an exchange, by name. Earlier agents of the chain set them, later ones and the access log see them. */
export class Attributes {
  readonly #received: ReadonlyMap<string, string>
  #changes: Map<string, string> | undefined
  #unsent = false

  /** @internal */
  constructor (received: ReadonlyMap<string, string>) {
    this.#received = received
  }

  /** What is known under that name, changes of this exchange included. */
  get (name: string): string | undefined {
    const changed = this.#changes?.get(name)
    return changed === undefined ? this.#received.get(name) : changed === '' ? undefined : changed
  }

  /** States a fact; sent with the next answer. An empty value removes. At most 64 of 16 KiB together are taken by the proxy. */
  set (name: string, value: string): void {
    checkText(value, 'attribute', name)
    this.#changes ??= new Map()
    this.#changes.set(name, value)
    this.#unsent = true
  }

  /** Removes a fact, for later agents too. */
  delete (name: string): void {
    this.set(name, '')
  }

  /** @internal What was changed, unless the last call gave it already. An empty value removes. */
  takeChanges (): ReadonlyMap<string, string> {
    if (!this.#unsent || this.#changes === undefined) return noEntries
    this.#unsent = false
    return new Map(this.#changes)
  }
}

/** Everything an exchange lends to its context. */
export interface ContextSource {
  readonly config: unknown
  readonly state: unknown
  readonly configVersion: string
  readonly log: Log
  readonly metrics: Metrics
  readonly health: Condition
  readonly nowMs: number
  readonly deadlineAt: number
  readonly store: Store
  moreTime (ms: number): void
  waitUntil (work: PromiseLike<unknown> | (() => unknown)): boolean
}

export class ExchangeContext implements Context<unknown, unknown> {
  readonly #source: ContextSource
  readonly attributes: Attributes
  #abort: AbortController | undefined
  #memory: Map<unknown, unknown> | undefined
  #ended: ExchangeEnded | undefined

  constructor (source: ContextSource, attributes: ReadonlyMap<string, string>) {
    this.#source = source
    this.attributes = new Attributes(attributes)
  }

  get config (): unknown { return this.#source.config }
  get state (): unknown { return this.#source.state }
  get configVersion (): string { return this.#source.configVersion }
  get log (): Log { return this.#source.log }
  get metrics (): Metrics { return this.#source.metrics }
  get health (): Condition { return this.#source.health }
  get deadlineMs (): number { return this.#source.deadlineAt - this.#source.nowMs }
  get store (): Store { return this.#source.store }
  get memory (): Map<unknown, unknown> { return this.#memory ??= new Map() }

  /** Made when first asked for: most handlers never do, and a controller costs more than they. */
  get signal (): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#ended) this.#abort.abort(this.#ended)
    }
    return this.#abort.signal
  }

  // Functions of their own, made when asked for: authors take them out of the context, `{ config, waitUntil }`.
  get moreTime (): Context<unknown, unknown>['moreTime'] {
    return (ms) => this.#source.moreTime(ms)
  }

  get waitUntil (): Context<unknown, unknown>['waitUntil'] {
    return (work) => this.#source.waitUntil(work)
  }

  end (reason: ExchangeEnded): void {
    this.#ended = reason
    this.#abort?.abort(reason)
  }
}

/** The context of an exchange for an event that has a time of its own, beside others. */
export class EventContext implements Context<unknown, unknown> {
  readonly #exchange: ExchangeContext
  readonly #askForTime: (ms: number) => void
  #deadlineAt: number
  #asked = false

  /** `timeoutMs` 0: no answer is awaited. */
  constructor (exchange: ExchangeContext, timeoutMs: number, askForTime: (ms: number) => void) {
    this.#exchange = exchange
    this.#askForTime = askForTime
    this.#deadlineAt = timeoutMs > 0 ? performance.now() + timeoutMs : Infinity
  }

  get config (): unknown { return this.#exchange.config }
  get state (): unknown { return this.#exchange.state }
  get configVersion (): string { return this.#exchange.configVersion }
  get log (): Log { return this.#exchange.log }
  get metrics (): Metrics { return this.#exchange.metrics }
  get health (): Condition { return this.#exchange.health }
  get attributes (): Attributes { return this.#exchange.attributes }
  get memory (): Map<unknown, unknown> { return this.#exchange.memory }
  get signal (): AbortSignal { return this.#exchange.signal }
  get store (): Store { return this.#exchange.store }
  get waitUntil (): Context<unknown, unknown>['waitUntil'] { return this.#exchange.waitUntil }
  get deadlineMs (): number { return this.#deadlineAt - performance.now() }

  get moreTime (): Context<unknown, unknown>['moreTime'] {
    return (ms) => {
      if (this.#asked || this.#deadlineAt === Infinity) return
      this.#asked = true
      this.#deadlineAt = performance.now() + ms
      this.#askForTime(Math.ceil(ms))
    }
  }
}
