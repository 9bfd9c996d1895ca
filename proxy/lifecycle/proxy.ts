import { createHash } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadConfig, type AgentConfig, type Problem, type SentinelConfig } from '../../config/sentinel/index.ts'
import type { StatusJson } from '../admin/status.ts'
import { Door } from '../listeners/index.ts'
import type { RootLog } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { agentConfiguration, agentIdentity } from './agent-identity.ts'
import { openAgent, type AgentRuntime } from './agent-runtime.ts'
import { judgeAgents, reportRefusals } from './agent-configuration.ts'
import { AdminServer, type PreparedAdmin } from './admin-server.ts'
import { BoundSockets, type PreparedSockets } from './bound-sockets.ts'
import { Certificates } from './certificates.ts'
import { openInstruments, type Instruments } from './instruments.ts'
import { canonicalKey, Leases, type Lease } from './leases.ts'
import { OpenListeners } from './open-listeners.ts'
import { makeSocketFolder } from './socket-folder.ts'
import type { PlacedSocket } from './placed-socket.ts'
import { buildSnapshot, type Snapshot } from './snapshot.ts'
import { StartError } from './start-error.ts'
import { statusOf } from './status.ts'
import { readVersion } from './version.ts'

export interface ProxyOptions {
  readonly file: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: RootLog
}

/** How long a start or a reload waits for agents that have just been started. */
const agentStartMs = 10_000

/** Everything that came of one configuration. */
interface Running {
  readonly config: SentinelConfig
  readonly version: string
  readonly loadedAt: Date
  readonly agents: ReadonlyMap<string, Lease<AgentRuntime>>
  readonly instruments: Instruments
  readonly snapshot: Snapshot
}

/** The proxy of this process. Made by `startProxy`. */
export class Proxy {
  readonly #options: ProxyOptions
  readonly #log: RootLog
  readonly #leases = new Leases()
  readonly #metrics: Metrics
  readonly #socketFolder = makeSocketFolder()
  readonly #sockets: BoundSockets
  readonly #door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: Infinity })
  readonly #certificates: Certificates
  readonly #listeners: OpenListeners
  readonly #admin: AdminServer
  #running!: Running
  readonly #retiring = new Set<Promise<void>>()
  #state: StatusJson['state'] = 'starting'
  #lastError: string | undefined
  #inFlight = 0
  #agentSockets = 0
  #reloading: Promise<void> = Promise.resolve()

  constructor (options: ProxyOptions) {
    this.#options = options
    this.#log = options.log
    this.#metrics = createMetrics({ version: readVersion() })
    this.#certificates = new Certificates({ log: this.#log, metrics: this.#metrics })
    this.#admin = new AdminServer({
      metrics: this.#metrics, status: () => this.status(), ready: () => this.#state === 'running', log: this.#log.child({ component: 'admin' }),
    })
    this.#sockets = new BoundSockets(this.#log)
    this.#listeners = new OpenListeners({
      log: this.#log, metrics: this.#metrics, certificates: this.#certificates, door: this.#door,
      siteOf: (listener) => this.#running.snapshot.siteOf(listener),
    })
    this.#metrics.onScrape((table) => {
      table.activeRequests.cell().set(this.#inFlight)
      table.openConnections.clear()
      for (const { id, connections } of this.#listeners.all) table.openConnections.cell(id).add(connections)
      for (const [route, places] of this.#running.snapshot.tunnels) table.openTunnels.cell(route).set(places.taken)
      const evidence = this.#running.instruments.evidence?.stats()
      if (evidence === undefined) return
      table.evidenceRecords.cell().set(evidence.records)
      table.evidenceDropped.cell().set(evidence.dropped)
      table.evidenceQueue.cell().set(evidence.queued)
      table.evidenceFailing.cell().set(evidence.failing ? 1 : 0)
    })
  }

  /** Builds what the first configuration asks for, then opens the listeners. Rejects with a `StartError` and leaves nothing open. */
  async start (config: SentinelConfig): Promise<void> {
    try {
      this.#log.setLevel(logLevel(config))
      this.#running = await this.#build(config)
      await this.#settleAgents(this.#running)
      const admin = await this.#admin.prepare(config.observability.metrics)
      admin.take()
      this.#door.limits = doorLimits(config)
      const prepared = await this.#listeners.prepare(config)
      const sockets = await this.#sockets.prepare(config.listeners)
      this.#sockets.take(sockets, config.listeners)
      this.#listeners.take(prepared, sockets.sockets, AbortSignal.abort())
      this.#metrics.configReloaded(true)
      this.#state = 'running'
    } catch (error) {
      await this.#closeAll(AbortSignal.timeout(2_000))
      throw error
    }
  }

  get metricsAddress (): string | undefined {
    return this.#admin.address
  }

  status (): StatusJson {
    return statusOf({
      version: readVersion(), state: this.#state, file: this.#options.file, configVersion: this.#running.version, loadedAt: this.#running.loadedAt,
      lastError: this.#lastError, config: this.#running.config, listeners: this.#listeners.current,
      agents: new Map([...this.#running.agents].map(([id, { value }]) => [id, value])), evidence: this.#running.instruments.evidence?.stats(),
    })
  }

  /** Takes over what the file says now: all of it, or nothing. Reloads do not overlap. Never rejects: the outcome is logged and counted. */
  reload (): Promise<void> {
    this.#reloading = this.#reloading.then(async () => {
      if (this.#state !== 'running') return this.#log.warn('not reloaded: the proxy is starting or stopping', { event: 'reload-ignored' })
      try {
        await this.#takeOver()
        this.#lastError = undefined
        this.#metrics.configReloaded(true)
        this.#log.info('configuration taken over', { event: 'reloaded', config_version: this.#running.version })
      } catch (error) {
        this.#lastError = error instanceof Error ? error.message : String(error)
        this.#metrics.configReloaded(false)
        this.#log.error(`the configuration was not taken over, the old one stays: ${this.#lastError}`, { event: 'reload-failed', code: 'RELOAD_FAILED' })
      }
    })
    return this.#reloading
  }

  /** After a log rotation. A file that cannot be opened leaves the old one in use, and the log says so. */
  reopenLogs (): void {
    if (this.#state !== 'running') return
    try {
      this.#running.instruments.reopenLogs()
      this.#log.info('log files opened anew', { event: 'logs-reopened' })
    } catch (error) {
      this.#log.error('the access log could not be opened anew: the old file stays in use', { event: 'logs-not-reopened', error })
    }
  }

  /** Stops accepting, lets open exchanges end within the configured time, stops agents, removes sockets. */
  async stop (): Promise<void> {
    if (this.#state === 'draining') return
    this.#state = 'draining'
    await this.#reloading // What it opens must be known to be closed.
    await this.#closeAll(AbortSignal.timeout(this.#running.config.system.gracefulShutdownTimeout))
  }

  async #takeOver (): Promise<void> {
    const old = this.#running
    const { config, problems } = await loadConfig(this.#options.file, { env: this.#options.env })
    if (config === undefined) throw new StartError(summary(problems), problems)
    const next = await this.#build(config)
    let sockets: PreparedSockets | undefined
    let admin: PreparedAdmin | undefined
    let listeners: Awaited<ReturnType<OpenListeners['prepare']>>
    try {
      await this.#settleAgents(next, old)
      const changed = await judgeAgents(config, old.config, next.agents)
      listeners = await this.#listeners.prepare(config)
      admin = await this.#admin.prepare(config.observability.metrics)
      sockets = await this.#sockets.prepare(config.listeners)
      for (const { agent, apply } of changed) {
        const refused = await apply()
        // It said that it would take it: nothing can be undone any more, so it is told.
        if (refused !== undefined) this.#log.error(refused.text, { event: 'agent-refused', code: 'AGENT_NOT_CONFIGURED', agent })
      }
    } catch (error) {
      await admin?.discard()
      if (sockets !== undefined) await this.#sockets.discard(sockets)
      release(next)
      throw error
    }
    // From here on new exchanges see the new configuration; nothing below can fail.
    const deadline = AbortSignal.timeout(config.system.gracefulShutdownTimeout)
    this.#running = next
    this.#door.limits = doorLimits(config)
    this.#log.setLevel(logLevel(config))
    this.#log.setFormat(config.observability.logging.format)
    admin.take()
    this.#sockets.take(sockets, config.listeners)
    this.#listeners.take(listeners, sockets.sockets, deadline)
    this.#retire(old, deadline)
  }

  /** Agents and pools that only the old configuration has stay until its last exchange is over. */
  #retire (old: Running, deadline: AbortSignal): void {
    const retiring = old.snapshot.emptied(deadline).then(() => {
      release(old)
      this.#retiring.delete(retiring)
    })
    this.#retiring.add(retiring)
  }

  async #build (config: SentinelConfig): Promise<Running> {
    const drainMs = config.system.gracefulShutdownTimeout
    const agents = new Map<string, Lease<AgentRuntime>>()
    let instruments: Instruments | undefined
    try {
      for (const agent of config.agents) agents.set(agent.id, this.#leaseAgent(agent, drainMs))
      instruments = await openInstruments(config, this.#leases, this.#log, this.#metrics, readVersion())
      const snapshot = buildSnapshot(config, {
        leases: this.#leases,
        agents: new Map([...agents].map(([id, lease]) => [id, lease.value])),
        admit: (max) => this.#inFlight < max && ++this.#inFlight > 0,
        release: () => { this.#inFlight-- },
        observe: instruments.observe,
        observeLate: instruments.observeLate,
        drainMs,
      })
      return { config, version: versionOf(config), loadedAt: new Date(), agents, instruments, snapshot }
    } catch (error) {
      instruments?.release()
      for (const lease of agents.values()) lease.release()
      throw error instanceof StartError ? error : new StartError(error instanceof Error ? error.message : String(error), [], error)
    }
  }

  #leaseAgent (agent: AgentConfig, drainMs: number): Lease<AgentRuntime> {
    const key = canonicalKey('agent', agentIdentity(agent))
    const before = this.#leases.has(key) ? undefined : this.#stepAside(agent)
    return this.#leases.use(key, () => openAgent(agent, {
      newSocket: () => join(this.#socketFolder, `${++this.#agentSockets}.sock`),
      cwd: dirname(this.#options.file),
      env: this.#options.env,
      log: this.#log,
      metrics: this.#metrics,
    }), async (runtime) => {
      await runtime.close(AbortSignal.timeout(drainMs))
      before?.stepBack()
    })
  }

  /** An agent that becomes another process, and keeps the socket that the operator placed for it. */
  #stepAside ({ transport }: AgentConfig): PlacedSocket | undefined {
    if (transport.kind !== 'unix' || transport.path === undefined || this.#running === undefined) return undefined
    const before = this.#running.config.agents.find((one) => one.transport.kind === 'unix' && one.transport.path === transport.path)
    const placed = before === undefined ? undefined : this.#running.agents.get(before.id)?.value.placed
    return placed?.stepAside() === true ? placed : undefined
  }

  /** Waits for agents that are new. At a start one that is missing or refuses runs into its failure mode; a reload fails with it. */
  async #settleAgents (next: Running, old?: Running): Promise<void> {
    const fresh = [...next.agents].map(([id, { value }]) => ({ id, runtime: value })).filter(({ id, runtime }) => old?.agents.get(id)?.value !== runtime)
    await Promise.all(fresh.map(({ runtime }) => runtime.settled(agentStartMs)))
    const refusals = reportRefusals(next.config, fresh.map(({ runtime }) => runtime))
    for (const problem of refusals) this.#log.error(problem.text, { event: 'agent-refused', code: 'AGENT_NOT_CONFIGURED', agent: problem.agent })
    if (old === undefined) return
    const [first] = refusals
    if (first !== undefined) throw new StartError(first.text)
    const missing = fresh.find(({ runtime }) => runtime.managed && runtime.client.state !== 'ready')
    if (missing !== undefined) throw new StartError(`agent '${missing.id}' did not become ready: ${missing.runtime.client.state}`)
  }

  async #closeAll (deadline: AbortSignal): Promise<void> {
    await this.#listeners.close(deadline)
    await Promise.all(this.#retiring)
    if (this.#running !== undefined) release(this.#running)
    await this.#leases.settled()
    await this.#admin.close()
    this.#certificates.close()
    this.#metrics.close()
    rmSync(this.#socketFolder, { recursive: true, force: true })
  }
}

function release ({ snapshot, agents, instruments }: Running): void {
  snapshot.retire()
  for (const lease of agents.values()) lease.release()
  instruments.release()
}

function doorLimits ({ limits, system }: SentinelConfig): Door['limits'] {
  return { maxConnections: system.maxConnections ?? Infinity, maxConnectionsPerClient: limits.maxConnectionsPerClient ?? Infinity }
}

function logLevel ({ observability: { logging: { level } } }: SentinelConfig): 'debug' | 'info' | 'warn' | 'error' {
  return level === 'trace' ? 'debug' : level === 'fatal' ? 'error' : level
}

/** A digest of what the configuration means: equal settings, equal version. */
function versionOf (config: SentinelConfig): string {
  const agents = config.agents.map((agent) => agentConfiguration(agent).version)
  return createHash('sha256').update(canonicalKey('config', { ...config, agents })).digest('hex').slice(0, 12)
}

function summary (problems: readonly Problem[]): string {
  const errors = problems.filter(({ severity }) => severity === 'error')
  return errors.map(({ code, message, position: { file, line, column } }) => `${file}:${line}:${column}: ${code}: ${message}`).join('; ')
}
