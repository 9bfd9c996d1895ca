import type { Socket } from 'node:net'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { LogFiles } from '../observe/log-files.ts'
import type { Log, LogRecord } from '../observe/log.ts'
import { Tails } from '../observe/tail.ts'
import type { Metrics } from '../observe/metrics.ts'
import { alone, type Among } from './upstream-settings.ts'
import { noFacts, type KeptAnswers } from '../pipeline/kept-answers.ts'
import type { TapPlace } from '../pipeline/agent-tap.ts'
import type { TailFilter } from '../pipeline/tail-filter.ts'
import { Admission, ownRates, type AdmissionSettings, type Places } from '../state/index.ts'
import type { RateLedgers } from '../pipeline/rates.ts'
import { OwnShares, type Shares } from '../pipeline/shares.ts'
import type { HealthOrders, Target } from '../upstreams/index.ts'
import { judgeAgents, reportRefusals, type AgentChange } from './agent-configuration.ts'
import type { DoorChange } from './agent-door.ts'
import { talkFacts } from './agent-facts.ts'
import { agentIdentity } from './agent-identity.ts'
import type { AgentRuntime } from './agent-runtime.ts'
import { HealthFollower } from './health-follower.ts'
import { openInstruments, type Instruments } from './instruments.ts'
import type { TargetSettings } from '../upstreams/index.ts'
import { canonicalKey, Leases, type Lease } from './leases.ts'
import { ListenerTable, type ListenerChange } from './listener-table.ts'
import { admissionSettings, memoryLimit } from './admission-settings.ts'
import { setRequestIdForm } from '../listeners/index.ts'
import { loadParts } from './parts.ts'
import { tellKept } from './route-cache.ts'
import { tellLimits } from './limit-metrics.ts'
import { MemoryWatch } from './memory-watch.ts'
import { LoadError, type AgentFacts, type AgentPlace, type DataPath, type Load, type MainSide, type PathFacts, type TargetFacts } from './seam.ts'
import { buildSnapshot, type Snapshot } from './snapshot.ts'
import { tellTargets } from './target-metrics.ts'

/** Connections of agents that wait for the door to be made. */
const maxEarly = 256

type AgentParts = typeof import('./agent-parts.ts')

export interface WorkerOptions {
  readonly main: MainSide
  readonly log: Log
  readonly metrics: Metrics
  /** What tickets of TLS sessions are sealed with. */
  readonly ticketSecret: Buffer
  /** What cookies of sticky sessions are signed with where the configuration names no secret. */
  readonly cookieSecret: string
  /** Where there are several. */
  readonly among?: Among
  readonly env: Readonly<Record<string, string | undefined>>
  /** Where other processes serve as well: limits that are theirs and this one's. */
  readonly together?: Together
}

/** Limits of several processes that accept from the same sockets. */
export interface Together {
  readonly shares: Shares
  /** For requests in flight. */
  readonly places: Places
  /** For requests in a time. */
  readonly rates: RateLedgers
}

/** Everything that came of one configuration. */
interface Running {
  readonly generation: number
  readonly config: SentinelConfig
  readonly agents: ReadonlyMap<string, Lease<AgentRuntime>>
  readonly instruments: Instruments
  readonly snapshot: Snapshot
}

interface Prepared {
  readonly next: Running
  readonly listeners: ListenerChange
  readonly door: DoorChange | undefined
  readonly agents: readonly AgentChange[]
}

/** The data path: all that a request meets. It knows nothing of files that are watched, of programs, or of other workers. */
export class Worker implements DataPath {
  readonly #options: WorkerOptions
  readonly #log: Log
  readonly #leases = new Leases()
  readonly #listeners: ListenerTable
  readonly #follower: HealthFollower
  #running: Running | undefined
  #prepared: Prepared | undefined
  readonly #retiring = new Set<Promise<void>>()
  readonly #memory: MemoryWatch
  readonly #admission: Admission
  readonly #files: LogFiles
  /** There where agents connect to the proxy, or did. */
  #door: InstanceType<AgentParts['AgentDoor']> | undefined
  /** Agents that came before there was one. */
  readonly #early: [listener: string, socket: Socket][] = []
  readonly #tails: Tails
  readonly #taps: TapPlace = { tap: undefined }
  readonly #shares: Shares
  #closed: Promise<void> | undefined
  /** Whoever waits for open exchanges waits no longer. */
  readonly #late = new AbortController()
  /** What is found while a configuration is made ready. */
  #building: Map<string, readonly TargetSettings[]> | undefined = undefined

  constructor (options: WorkerOptions) {
    const { log, metrics, ticketSecret, together } = options
    this.#shares = together?.shares ?? new OwnShares()
    this.#options = options
    this.#log = log
    this.#follower = new HealthFollower(options.main)
    this.#listeners = new ListenerTable({
      log, metrics, ticketSecret, shares: this.#shares, others: together !== undefined, snapshot: () => this.#running!.snapshot,
    })
    this.#files = new LogFiles({
      shared: together !== undefined,
      trouble: (name, trouble) => log.error(`the ${name} loses lines`, { component: name, ...trouble }),
      lost: (name) => metrics.table.logLinesLost.cell(name).add(),
    })
    this.#tails = new Tails((id, seen, sent) => options.main.seen(id, seen, sent), this.#taps)
    this.#memory = new MemoryWatch(log)
    this.#admission = new Admission({ maxInFlight: Infinity, maxQueued: 0, queueTimeoutMs: 0, limit: undefined, refusal: () => undefined }, together?.places)
    metrics.onScrape((table) => {
      table.activeRequests.cell().set(this.#admission.inFlight)
      table.queuedRequests.cell().set(this.#admission.queued)
      table.inFlightLimit.cell().set(this.#admission.limit)
      table.memoryLimited.cell().set(this.#memory.refusal === undefined ? 0 : 1)
      tellLimits(table, this.#running?.snapshot.limits ?? new Map())
      if (this.#running !== undefined) tellTargets(table, this.#running.snapshot.upstreams)
      if (this.#running?.snapshot.kept !== undefined) tellKept(table, this.#running.snapshot.kept.counts)
      for (const [route, places] of this.#running?.snapshot.tunnels ?? []) table.openTunnels.cell(route).set(places.taken)
    })
  }

  async prepare (load: Load): Promise<void> {
    const old = this.#running
    this.#building = new Map()
    const door = await this.#prepareDoor(load)
    const next = await this.#build(load).catch((error: unknown) => {
      door?.abort()
      throw error
    })
    this.#follower.obey(load.health)
    try {
      await this.#settleAgents(next, old, load)
      const agents = old === undefined ? [] : await judgeAgents(load.config, old.config, next.agents)
      this.#prepared = { next, agents, door, listeners: await this.#listeners.prepare(load.config, load.sockets) }
      for (const [key, targets] of this.#building) next.snapshot.discovered(key, targets)
    } catch (error) {
      door?.abort()
      release(next)
      throw error
    }
  }

  async commit (): Promise<void> {
    const { next, listeners, agents, door } = this.#prepared!
    this.#prepared = undefined
    for (const { agent, apply } of agents) {
      const refused = await apply()
      // It said that it would take it: nothing can be undone any more, so it is told.
      if (refused !== undefined) this.#log.error(refused.text, { event: 'agent-refused', code: 'AGENT_NOT_CONFIGURED', agent })
    }
    // From here on new exchanges see the new configuration; nothing below can fail.
    const old = this.#running
    this.#running = next
    next.snapshot.takeOver()
    door?.commit()
    setRequestIdForm(next.config.system.traceIdFormat)
    this.#memory.limit = memoryLimit(next.config.limits)
    this.#options.together?.places.limitTo(next.config.limits.maxInFlightRequests)
    this.#admission.configure(this.#admissionFor(next.config))
    this.#follower.follow(next.config, next.snapshot.upstreams)
    listeners.commit()
    if (old !== undefined) this.#retire(old, AbortSignal.any([AbortSignal.timeout(next.config.system.gracefulShutdownTimeout), this.#late.signal]))
  }

  async #prepareDoor ({ config }: Load): Promise<DoorChange | undefined> {
    if (this.#door === undefined && config.reverseListeners.length === 0) return undefined
    const { AgentDoor } = await import('./agent-parts.ts')
    const door = this.#door ?? new AgentDoor(this.#log, this.#options.metrics)
    const change = await door.prepare(config)
    this.#door = door
    for (const [listener, socket] of this.#early.splice(0)) door.accept(listener, socket)
    return change
  }

  #admissionFor ({ limits }: SentinelConfig): AdmissionSettings {
    return admissionSettings(limits, () => this.#memory.refusal, this.#admission.settings.limit)
  }

  async abort (): Promise<void> {
    const prepared = this.#prepared
    if (prepared === undefined) return
    this.#prepared = undefined
    await prepared.listeners.abort()
    prepared.door?.abort()
    release(prepared.next)
  }

  async suspend (sockets: readonly string[]): Promise<void> {
    this.#listeners.suspend(sockets)
  }

  async resume (sockets: Load['sockets']): Promise<void> {
    await this.#listeners.resume(sockets)
  }

  async reopenLogs (): Promise<void> {
    await this.#files.reopen()
  }

  /** This process has said something, and is not main. */
  heard (record: LogRecord): void {
    this.#running?.instruments.heard(record)
  }

  renewTickets (secret: Buffer): void {
    this.#listeners.renewTickets(secret)
  }

  health (orders: HealthOrders): void {
    this.#follower.obey(orders)
  }

  agentStarted ({ id, socket }: AgentPlace): void {
    for (const running of [this.#running, this.#prepared?.next]) {
      const agent = running?.agents.get(id)?.value
      if (agent !== undefined && agent.socket === socket) agent.client.nudge()
    }
  }

  agentArrived (listener: string, socket: Socket): void {
    if (this.#door !== undefined) this.#door.accept(listener, socket)
    else if (this.#running === undefined && this.#early.length < maxEarly) this.#early.push([listener, socket])
    else socket.destroy()
  }

  turnAgentsAway (): void {
    this.#door?.arrivals.turnAway()
  }

  discovered (key: string, targets: readonly TargetSettings[]): void {
    this.#running?.snapshot.discovered(key, targets)
    this.#prepared?.next.snapshot.discovered(key, targets)
    this.#building?.set(key, targets)
  }

  /** Those of a configuration that is made ready as well: what is purged now must not be there when it takes over. */
  readonly answers: KeptAnswers = {
    purge: async (what) => {
      const kept = new Set([this.#running?.snapshot.kept, this.#prepared?.next.snapshot.kept].filter((answers) => answers !== undefined))
      const outcomes = await Promise.all([...kept].map((answers) => answers.purge(what)))
      return { purged: outcomes.reduce((sum, { purged }) => sum + purged, 0) }
    },
    facts: async () => this.#running?.snapshot.kept?.facts() ?? noFacts,
  }

  tail (id: number, filter: TailFilter | undefined): void {
    this.#tails.watch(id, filter)
  }

  facts (): PathFacts {
    const agents = [...this.#running?.agents ?? []].map(([id, { value }]) => [id, factsOfAgent(value.client)] as const)
    const upstreams = [...this.#running?.snapshot.upstreams ?? []].map(([id, { set }]) => [id, set.targets.map(factsOf)] as const)
    return { connections: this.#listeners.connections, agents: new Map(agents), upstreams: new Map(upstreams) }
  }

  async refresh (): Promise<void> {}

  async close (graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.#late.abort(), graceMs)
    await (this.#closed ??= this.#close())
    clearTimeout(timer)
  }

  async #close (): Promise<void> {
    await this.abort()
    this.#door?.close()
    for (const [, socket] of this.#early.splice(0)) socket.destroy()
    await this.#listeners.close(this.#late.signal)
    await Promise.all(this.#retiring)
    this.#follower.close()
    if (this.#running !== undefined) release(this.#running)
    await this.#leases.settled()
    this.#memory.limit = Infinity
  }

  /** Agents and pools that only the old configuration has stay until its last exchange is over. */
  #retire (old: Running, deadline: AbortSignal): void {
    const retiring = old.snapshot.emptied(deadline).then(async () => {
      // What goes on there has had its time.
      const { config, snapshot } = this.#running ?? old
      if (deadline.aborted && snapshot !== old.snapshot) this.#listeners.endOthers(new Set(config.routes.filter(({ enabled }) => enabled).map(({ id }) => id)))
      release(old)
      await this.#leases.settled()
      this.#retiring.delete(retiring)
      this.#options.main.retired(old.generation)
    })
    this.#retiring.add(retiring)
  }

  async #build ({ generation, config, agents: places, evidence, discovered }: Load): Promise<Running> {
    const drainMs = config.system.gracefulShutdownTimeout
    const parts = await loadParts(config, evidence, this.#log)
    const { traces, evidence: records } = parts
    const agents = new Map<string, Lease<AgentRuntime>>()
    let instruments: Instruments | undefined
    try {
      for (const agent of config.agents) agents.set(agent.id, this.#leaseAgent(agent, places, drainMs, parts.agents!.openAgent))
      const { log, metrics, main, env, cookieSecret } = this.#options
      instruments = openInstruments(config, {
        leases: this.#leases, files: this.#files, tails: this.#tails, log, metrics, env,
        ...traces === undefined ? {} : { openTracing: traces.openTracing },
        ...records === undefined ? {} : { evidence: records.recordsOf((entry) => main.evidence(generation, entry), log.child({ component: 'evidence' })) },
      })
      const snapshot = buildSnapshot(config, {
        leases: this.#leases,
        agents: new Map([...agents].map(([id, lease]) => [id, lease.value])),
        agentNow: (id) => this.#running?.agents.get(id)?.value,
        parts,
        metrics,
        admission: this.#admission,
        shares: this.#shares,
        rates: this.#options.together?.rates ?? ownRates,
        observe: instruments.observe,
        ...instruments.tracing === undefined || traces === undefined ? {} : { traces: { begin: instruments.tracing.begin, step: traces.tracedFilter } },
        observeLate: instruments.observeLate,
        answers: main.answers,
        page: main.page,
        log,
        isShared: this.#options.among !== undefined,
        gate: (settings) => this.#follower.gate(settings),
        env,
        cookieSecret,
        among: this.#options.among ?? alone,
        discovered,
        drainMs,
      })
      return { generation, config, agents, instruments, snapshot }
    } catch (error) {
      instruments?.release()
      for (const lease of agents.values()) lease.release()
      throw error instanceof LoadError ? error : new LoadError(error instanceof Error ? error.message : String(error), error)
    }
  }

  #leaseAgent (agent: SentinelConfig['agents'][number], places: readonly AgentPlace[], drainMs: number, openAgent: AgentParts['openAgent']): Lease<AgentRuntime> {
    const { log, metrics, main } = this.#options
    const place = places.find(({ id }) => id === agent.id)! // Main made one for each.
    const around = { log, metrics, taps: this.#taps, arrivals: this.#door?.arrivals, report: main.agentReport, sign: main.agentSign }
    return this.#leases.use(canonicalKey('agent', agentIdentity(agent)), () => openAgent(agent, place, around), async (runtime) => {
      await runtime.close(AbortSignal.timeout(drainMs))
      // Another may go by its name by now.
      if (this.#running?.agents.get(agent.id)?.value === runtime || this.#running?.agents.has(agent.id) !== true) metrics.agentGone(agent.id)
    })
  }

  /** Waits for agents that are new. At a start one that is missing or refuses runs into its failure mode; a reload fails with it. */
  async #settleAgents (next: Running, old: Running | undefined, { agentStartMs: waitMs, strict }: Load): Promise<void> {
    const fresh = [...next.agents].map(([id, { value }]) => ({ id, runtime: value })).filter(({ id, runtime }) => old?.agents.get(id)?.value !== runtime)
    await Promise.all(fresh.map(({ runtime }) => runtime.settled(waitMs, strict && old === undefined)))
    const refusals = reportRefusals(next.config, fresh.map(({ runtime }) => runtime))
    for (const problem of refusals) this.#log.error(problem.text, { event: 'agent-refused', code: 'AGENT_NOT_CONFIGURED', agent: problem.agent })
    if (!strict) return
    const [first] = refusals
    if (first !== undefined) throw new LoadError(first.text)
    const missing = fresh.find(({ runtime }) => runtime.managed && runtime.client.state !== 'ready')
    if (missing !== undefined) throw new LoadError(`agent '${missing.id}' did not become ready: ${missing.runtime.client.state}`)
  }
}

function factsOfAgent (client: AgentRuntime['client']): AgentFacts {
  const { state, lastError: problem, configVersion, refusals } = client
  return { state, problem, configVersion, refusals, talk: talkFacts(client) }
}

function factsOf ({ name, inFlight, connections }: Target): TargetFacts {
  return { name, exchanges: inFlight, connections: connections.size }
}

function release ({ snapshot, agents, instruments }: Running): void {
  snapshot.retire()
  for (const lease of agents.values()) lease.release()
  instruments.release()
}
