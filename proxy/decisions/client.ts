import type { Socket } from 'node:net'
import type { ConfigProblem, DescribeResponse } from '../../proto/codec/index.ts'
import type { BreakerState } from '../pipeline/breaker.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import { Admission } from './admission.ts'
import { AgentBreaker } from './agent-breaker.ts'
import { AgentConnection } from './connection.ts'
import { reconnectPauseMs } from './reconnect.ts'
import { withDefaults, type AgentTarget, type AgentConfiguration, type AgentOptions, type AgentState, type ProtocolFault, type Settings } from './settings.ts'
import { Talk, type Switchboard } from './talk.ts'

export interface AgentCounters {
  calls: number
  failures: Partial<Record<FaultCode, number>>
  protocolFaults: Partial<Record<ProtocolFault, number>>
  bytesSent: number
  bytesReceived: number
  reconnects: number
  /** The call that failed last. */
  lastFailure: { readonly code: FaultCode, readonly detail: string, readonly atMs: number } | undefined
}

export interface AgentClient {
  readonly id: string
  readonly state: AgentState
  /** What the agent said of itself when it was last connected. */
  readonly describe: DescribeResponse | undefined
  /** Why it is not ready, in one sentence. */
  readonly lastError: string | undefined
  /** Version of the configuration that is active; "" before there is one. */
  readonly configVersion: string
  /** What a refused configuration got wrong. */
  readonly refusals: readonly ConfigProblem[]
  readonly counters: Readonly<AgentCounters>
  readonly inFlight: number
  readonly queued: number
  /** `undefined` where it has none. */
  readonly breakerState: BreakerState | undefined
  readonly settings: Settings
  /** Begins an exchange. Throws the fault at once when there is nobody to talk to. */
  talk (): Talk
  /**
   * Hands over another configuration (reload). Gives the agent's problems; nothing changes then. An agent that is not there now
   * gets it when it comes.
   */
  configure (configuration: AgentConfiguration, how: { readonly validateOnly: boolean }): Promise<readonly ConfigProblem[]>
  /** Called on every change of state, or of why an agent is not there, and returns how to stop that. */
  onState (listener: (state: AgentState, why: string | undefined) => void): () => void
  /** Tries to connect at once: somebody knows that the agent was just started. */
  nudge (): void
  /** Resolves when the agent is ready, refused or incompatible, or after `timeoutMs`. */
  settled (timeoutMs: number): Promise<void>
  /** No new exchanges; resolves when the open ones are over, or the deadline comes. */
  drain (deadline: AbortSignal): Promise<void>
  close (): Promise<void>
}

export function connectAgent (options: AgentOptions): AgentClient {
  return new Client(withDefaults(options))
}

/** A place for one connection, and the pause before the next attempt. */
interface Slot {
  connection: AgentConnection | undefined
  timer: NodeJS.Timeout | undefined
  /** Of a place that an agent has to come to by itself: ends the waiting. */
  leave: (() => void) | undefined
  /** When it was lost, or first tried. */
  awaySinceMs: number
}

/** One message of an agent may hold a million replies that fit nothing: all are counted, the first of each second are told. */
const reportsPerSecond = 20

/** A connection that lasted this long was a good one: the next pause is a short one again. */
const provenMs = 5_000

class Client implements AgentClient, Switchboard {
  readonly id: string
  readonly settings: Settings
  readonly admission: Admission
  readonly breaker: AgentBreaker | undefined
  describe: DescribeResponse | undefined
  configVersion = ''
  readonly counters: AgentCounters = { calls: 0, failures: {}, protocolFaults: {}, bytesSent: 0, bytesReceived: 0, reconnects: 0, lastFailure: undefined }
  #configuration: AgentConfiguration
  #state: AgentState = 'connecting'
  /** What those who listen were told last of why it is not there. */
  #told: string | undefined = undefined
  #lastError: string | undefined
  #ending: 'draining' | 'closed' | undefined
  readonly #slots: Slot[]
  /** Connections that the agent closes: they finish what they have. */
  readonly #retiring = new Set<AgentConnection>()
  readonly #listeners = new Set<(state: AgentState, why: string | undefined) => void>()
  #onIdle: (() => void) | undefined

  constructor (settings: Settings) {
    this.id = settings.id
    let reported = 0
    let sinceMs = 0
    const onProtocolFault = (kind: ProtocolFault, detail: string): void => {
      this.counters.protocolFaults[kind] = (this.counters.protocolFaults[kind] ?? 0) + 1
      const nowMs = performance.now()
      if (nowMs - sinceMs > 1_000) {
        sinceMs = nowMs
        reported = 0
      }
      if (++reported <= reportsPerSecond) settings.onProtocolFault(kind, detail)
    }
    this.settings = { ...settings, onProtocolFault }
    this.admission = new Admission(settings.maxConcurrentCalls, settings.maxQueuedCalls)
    this.breaker = settings.breaker === undefined ? undefined : new AgentBreaker(settings.id, settings.breaker, settings.onBreaker)
    this.#configuration = settings.config
    if (settings.onState !== undefined) this.#listeners.add(settings.onState)
    const awaySinceMs = performance.now()
    this.#slots = Array.from({ length: settings.connections }, () => ({ connection: undefined, timer: undefined, leave: undefined, awaySinceMs }))
    for (const slot of this.#slots) this.#connect(slot)
  }

  get state (): AgentState { return this.#state }
  get lastError (): string | undefined { return this.#state === 'ready' ? undefined : this.#lastError ?? this.#awaited }
  get inFlight (): number { return this.admission.inFlight }
  get queued (): number { return this.admission.queued }
  get breakerState (): BreakerState | undefined { return this.breaker?.state }

  get refusals (): readonly ConfigProblem[] {
    return this.#slots.find(({ connection }) => connection?.state === 'refused')?.connection?.refusals ?? []
  }

  talk (): Talk {
    return new Talk(this)
  }

  pick (except?: AgentConnection): AgentConnection {
    let best: AgentConnection | undefined
    let open = 0
    for (const { connection } of this.#slots) {
      if (connection === undefined) continue
      open += connection.lines.size
      if (connection.state !== 'ready' || connection === except) continue
      if (best === undefined || connection.lines.size < best.lines.size) best = connection
    }
    best ??= this.#fading(except)
    if (this.#ending !== undefined || best === undefined) throw this.#absent()
    const bound = best.describe?.limits?.maxExchanges ?? 0
    if (bound > 0 && open >= bound) throw new Fault('AGENT_QUEUE_FULL', `the agent takes ${bound} exchanges at once`)
    return best
  }

  /** Who is about to stop, or to close its connection, is asked while nobody else is there. */
  #fading (except?: AgentConnection): AgentConnection | undefined {
    for (const connection of this.#retiring) if ((connection.state === 'fading' || connection.standsIn) && connection !== except) return connection
    return undefined
  }

  count (durationMs: number, fault: Fault | undefined): void {
    this.counters.calls++
    if (fault !== undefined) {
      this.counters.failures[fault.code] = (this.counters.failures[fault.code] ?? 0) + 1
      this.failed(fault)
    }
    this.settings.observe(durationMs, fault?.code ?? 'ok')
  }

  failed ({ code, detail = '' }: Fault): void {
    this.counters.lastFailure = { code, detail, atMs: performance.timeOrigin + performance.now() }
  }

  async configure (configuration: AgentConfiguration, { validateOnly }: { readonly validateOnly: boolean }): Promise<readonly ConfigProblem[]> {
    if (!validateOnly) this.#configuration = configuration
    const known = [...this.#slots.flatMap(({ connection }) => connection ?? []), ...this.#retiring]
    // The others get it before they are asked again.
    const usable = known.filter(({ state }) => state === 'ready' || state === 'refused' || state === 'fading')
    const asked = validateOnly ? usable.slice(0, 1) : usable
    const outcomes = await Promise.all(asked.map((connection) => connection.configure(configuration, validateOnly).catch((error: unknown) => {
      // Whatever it holds now, it is not known to be this: the connection starts over and is configured then.
      if (!validateOnly) connection.lose(Fault.from(error))
      return []
    })))
    if (!validateOnly) this.#look()
    return outcomes.find((problems) => problems.length > 0) ?? []
  }

  onState (listener: (state: AgentState, why: string | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  nudge (): void {
    for (const slot of this.#slots) {
      if (slot.timer === undefined) continue
      clearTimeout(slot.timer)
      slot.awaySinceMs = performance.now()
      this.#connect(slot)
    }
  }

  settled (timeoutMs: number): Promise<void> {
    const isSettled = (): boolean => this.#state === 'ready' || this.#state === 'refused' || this.#state === 'incompatible' || this.#ending !== undefined
    if (isSettled()) return Promise.resolve()
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const stop = this.onState(() => { if (isSettled()) done() })
      const timer = setTimeout(done, timeoutMs)
    })
  }

  async drain (deadline: AbortSignal): Promise<void> {
    if (this.#ending !== undefined) return
    this.#ending = 'draining'
    this.#look()
    if (this.#openExchanges === 0 || deadline.aborted) return
    await new Promise<void>((resolve) => {
      // Looked at a few times a second instead of on every exchange: nothing on the request path pays for it.
      const timer = setInterval(() => { if (this.#openExchanges === 0) this.#onIdle?.() }, 20)
      const done = (): void => {
        clearInterval(timer)
        deadline.removeEventListener('abort', done)
        this.#onIdle = undefined
        resolve()
      }
      this.#onIdle = done
      deadline.addEventListener('abort', done)
    })
  }

  async close (): Promise<void> {
    this.#ending = 'closed'
    this.#onIdle?.()
    const parting: Promise<void>[] = []
    const fault = new Fault('AGENT_NOT_CONNECTED', 'the proxy closed the connection')
    for (const slot of this.#slots) {
      clearTimeout(slot.timer)
      slot.timer = undefined
      slot.leave?.()
      slot.leave = undefined
      if (slot.connection !== undefined) parting.push(slot.connection.part(fault))
    }
    for (const connection of this.#retiring) parting.push(connection.part(fault))
    this.#look()
    this.#listeners.clear()
    await Promise.all(parting)
  }

  get #openExchanges (): number {
    let open = 0
    for (const { connection } of this.#slots) open += connection?.lines.size ?? 0
    for (const connection of this.#retiring) open += connection.lines.size
    return open
  }

  #connect (slot: Slot): void {
    slot.timer = undefined
    if (this.#ending !== undefined) return
    const { target } = this.settings
    if (!('arrivals' in target)) return this.#begin(slot, target)
    slot.leave = target.arrivals.wait((socket) => {
      slot.leave = undefined
      this.#begin(slot, { socket })
    })
  }

  #begin (slot: Slot, to: AgentTarget | { readonly socket: Socket }): void {
    const startedMs = performance.now()
    const connection = slot.connection = new AgentConnection(this.settings, to, {
      configuration: () => this.#configuration,
      onChange: () => {
        if ((connection.state === 'retiring' || connection.state === 'fading') && slot.connection === connection) this.#setAside(slot, connection)
        if (connection.state === 'incompatible' || connection.state === 'refused') slot.awaySinceMs = performance.now()
        this.#look()
      },
      onReport: this.settings.onReport,
      onLost: (fault) => {
        this.counters.bytesSent += connection.bytesSent
        this.counters.bytesReceived += connection.bytesReceived
        if (this.#retiring.delete(connection)) return this.#look()
        this.#lastError = fault.detail ?? fault.code
        slot.connection = undefined
        if (connection.proven || performance.now() - startedMs > provenMs) slot.awaySinceMs = performance.now()
        this.#retry(slot)
        this.#look()
      },
    })
  }

  #retry (slot: Slot): void {
    if (this.#ending !== undefined) return
    this.counters.reconnects++
    // The pauses are the agent's: whoever comes is taken at once.
    if ('arrivals' in this.settings.target) return this.#connect(slot)
    const { reconnectInitialMs: initialMs, reconnectMaxMs: maxMs } = this.settings
    slot.timer = setTimeout(() => this.#connect(slot), reconnectPauseMs(performance.now() - slot.awaySinceMs, { initialMs, maxMs })).unref()
  }

  #setAside (slot: Slot, connection: AgentConnection): void {
    this.#retiring.add(connection)
    slot.connection = undefined
    slot.awaySinceMs = performance.now()
    this.#lastError = connection.why
    this.#retry(slot)
  }

  /** Of an agent that has never come. */
  get #awaited (): string | undefined {
    return 'arrivals' in this.settings.target && this.#slots.every(({ connection }) => connection === undefined) ? 'it has not connected to the proxy yet' : undefined
  }

  /** The state of the whole, from those of the connections. */
  #look (): void {
    const has = (state: AgentConnection['state']): AgentConnection | undefined => this.#slots.find(({ connection }) => connection?.state === state)?.connection
    const first = has('ready')
    if (first !== undefined) for (const connection of this.#retiring) connection.succeeded()
    const ready = first ?? this.#fading()
    if (ready !== undefined) {
      this.describe = ready.describe
      this.configVersion = ready.configVersion
    }
    const other = has('stalled') ?? has('not-serving') ?? has('refused') ?? has('incompatible')
    if (other !== undefined) this.#lastError = other.why
    const was = this.#state
    const next = this.#ending ?? (ready !== undefined ? 'ready' : stateOf(other) ?? (this.counters.reconnects === 0 ? 'connecting' : 'backoff'))
    const before = this.#told
    this.#state = next
    this.#told = this.lastError
    // Why it is not there may change while it is not: a port where nobody listened yet turns out to be somebody else's.
    if (next === was && this.#told === before) return
    for (const listener of this.#listeners) listener(next, this.#told)
  }

  #absent (): Fault {
    if (this.#state === 'refused') return new Fault('AGENT_NOT_CONFIGURED', `${this.id}: ${this.#lastError ?? ''}`)
    return new Fault('AGENT_NOT_CONNECTED', `${this.id} is ${this.#state}${this.#lastError === undefined ? '' : `: ${this.#lastError}`}`)
  }
}

function stateOf (connection: AgentConnection | undefined): AgentState | undefined {
  const state = connection?.state
  return state === 'stalled' || state === 'not-serving' || state === 'refused' || state === 'incompatible' ? state : undefined
}
