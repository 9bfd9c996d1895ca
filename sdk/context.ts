import { noEntries } from '../proto/codec/index.ts'
import { ExchangeEnded } from './failure.ts'
import type { Log } from './log.ts'

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
  readonly log: Log
  /** Facts from earlier agents; what is set here goes to later ones and to the access log. */
  readonly attributes: Attributes
  /** Whatever the agent wants to remember of this exchange from one handler to the next. */
  readonly memory: Map<unknown, unknown>
  /** Asks, once per answer, for a deadline this many milliseconds from now. The operator's `max-timeout-ms` is the ceiling. */
  moreTime (ms: number): void
}

export class Attributes {
  readonly #received: ReadonlyMap<string, string>
  #changes: Map<string, string> | undefined
  #unsent = false

  constructor (received: ReadonlyMap<string, string>) {
    this.#received = received
  }

  get (name: string): string | undefined {
    const changed = this.#changes?.get(name)
    return changed === undefined ? this.#received.get(name) : changed === '' ? undefined : changed
  }

  set (name: string, value: string): void {
    this.#changes ??= new Map()
    this.#changes.set(name, value)
    this.#unsent = true
  }

  delete (name: string): void {
    this.set(name, '')
  }

  /** For the SDK: what was changed, unless the last call gave it already. An empty value removes. */
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
  readonly deadlineAt: number
  moreTime (ms: number): void
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
  get deadlineMs (): number { return this.#source.deadlineAt - performance.now() }
  get memory (): Map<unknown, unknown> { return this.#memory ??= new Map() }

  /** Made when first asked for: most handlers never do, and a controller costs more than they. */
  get signal (): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#ended) this.#abort.abort(this.#ended)
    }
    return this.#abort.signal
  }

  moreTime (ms: number): void {
    this.#source.moreTime(ms)
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
  get attributes (): Attributes { return this.#exchange.attributes }
  get memory (): Map<unknown, unknown> { return this.#exchange.memory }
  get signal (): AbortSignal { return this.#exchange.signal }
  get deadlineMs (): number { return this.#deadlineAt - performance.now() }

  moreTime (ms: number): void {
    if (this.#asked || this.#deadlineAt === Infinity) return
    this.#asked = true
    this.#deadlineAt = performance.now() + ms
    this.#askForTime(Math.ceil(ms))
  }
}
