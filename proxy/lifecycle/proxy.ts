import { createHash, randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { unixPeer } from '../../config/schema/index.ts'
import { loadConfig, type AgentConfig, type ListenerConfig, type Problem, type SentinelConfig } from '../../config/sentinel/index.ts'
import { createAdmin, type Admin } from '../admin/admin.ts'
import type { StatusJson } from '../admin/status.ts'
import { createListener, Door, type HandshakeOutcome, type Listener } from '../listeners/index.ts'
import type { RootLog } from '../observe/log.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { serve } from '../pipeline/serve.ts'
import { agentConfiguration, agentIdentity } from './agent-identity.ts'
import { openAgent, type AgentRuntime } from './agent-runtime.ts'
import { judgeAgents, reportRefusals } from './agent-configuration.ts'
import { Certificates, type PreparedTls } from './certificates.ts'
import { HealthFollower } from './health-follower.ts'
import { HealthKeeper } from './health-keeper.ts'
import { healthPlans, type HealthPlans } from './health-plans.ts'
import { openInstruments, type Instruments } from './instruments.ts'
import { canonicalKey, Leases, type Lease } from './leases.ts'
import { listenerLog } from './listener-log.ts'
import { boundSettings, needsRestart } from './needs-restart.ts'
import { makeSocketFolder } from './socket-folder.ts'
import { buildSnapshot, type Snapshot } from './snapshot.ts'
import { upstreamSettings } from './upstream-settings.ts'
import { statusOf } from './status.ts'
import { readVersion } from './version.ts'

/** Something that keeps the proxy from starting or from taking over a configuration; the message is for the operator. */
export class StartError extends Error {
  readonly problems: readonly Problem[]

  constructor (message: string, problems: readonly Problem[] = [], cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'StartError'
    this.problems = problems
  }
}

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
  readonly plans: HealthPlans
}

/** The proxy of this process. Made by `startProxy`. */
export class Proxy {
  readonly #options: ProxyOptions
  readonly #log: RootLog
  readonly #leases = new Leases()
  readonly #metrics: Metrics
  readonly #socketFolder = makeSocketFolder()
  readonly #cookieSecret = randomBytes(32).toString('base64')
  readonly #listeners = new Map<string, Listener>()
  readonly #door = new Door({ maxConnections: Infinity, maxConnectionsPerClient: Infinity })
  readonly #certificates: Certificates
  readonly #health: HealthKeeper
  readonly #follower = new HealthFollower({ heard: (evidence) => this.#health.heard(evidence), heardAt: (evidence) => this.#health.heardAt(evidence) })
  #admin: Admin | undefined
  #running!: Running
  readonly #retiring = new Set<Promise<void>>()
  #state: StatusJson['state'] = 'starting'
  #lastError: string | undefined
  #inFlight = 0
  #sockets = 0
  #reloading: Promise<void> = Promise.resolve()
  metricsAddress: string | undefined

  constructor (options: ProxyOptions) {
    this.#options = options
    this.#log = options.log
    this.#metrics = createMetrics({ version: readVersion() })
    this.#certificates = new Certificates({ log: this.#log, metrics: this.#metrics })
    this.#health = new HealthKeeper({
      log: this.#log, metrics: this.#metrics, order: (order) => this.#follower.obey(order), gateOrder: (order) => this.#follower.obeyAt(order),
    })
    this.#metrics.onScrape((table) => {
      table.activeRequests.cell().set(this.#inFlight)
      for (const listener of this.#listeners.values()) table.openConnections.cell(listener.id).set(listener.connections)
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
      this.#judgeBy(this.#running)
      await this.#openAdmin(config)
      this.#door.limits = doorLimits(config)
      for (const listener of config.listeners) await this.#openListener(listener, this.#running)
      this.#metrics.configReloaded(true)
      this.#state = 'running'
    } catch (error) {
      await this.#closeAll(AbortSignal.timeout(2_000))
      throw error
    }
  }

  status (): StatusJson {
    return statusOf({
      version: readVersion(), state: this.#state, file: this.#options.file, configVersion: this.#running.version, loadedAt: this.#running.loadedAt,
      lastError: this.#lastError, config: this.#running.config, listeners: [...this.#listeners.values()],
      agents: new Map([...this.#running.agents].map(([id, { value }]) => [id, value])), evidence: this.#running.instruments.evidence?.stats(), health: this.#health.state(),
    })
  }

  /** Takes a target out of its upstream, over all reloads, or puts it back: its exchanges finish, new ones go elsewhere. False when there is no such target. */
  drain (upstream: string, target: string, on: boolean): boolean {
    return this.#health.drain(upstream, target, on)
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
    const [refused] = needsRestart(old.config, config, { runsAgent: (id) => old.agents.get(id)?.value.managed === true }).filter(({ reload }) => reload === 'refused')
    if (refused !== undefined) throw new StartError(refused.why)
    const next = await this.#build(config)
    const opened: string[] = []
    let certificates: ReadonlyArray<readonly [string, PreparedTls | undefined]>
    try {
      await this.#settleAgents(next, old)
      const changed = await judgeAgents(config, old.config, next.agents)
      certificates = await Promise.all(config.listeners.map(async (listener) => [listener.id, await this.#certificates.prepare(listener)] as const))
      for (const listener of config.listeners) {
        if (this.#listeners.has(listener.id)) continue
        await this.#openListener(listener, next)
        opened.push(listener.id)
      }
      for (const { agent, apply } of changed) {
        const refused = await apply()
        // It said that it would take it: nothing can be undone any more, so it is told.
        if (refused !== undefined) this.#log.error(refused.text, { event: 'agent-refused', code: 'AGENT_NOT_CONFIGURED', agent })
      }
    } catch (error) {
      for (const id of opened) await this.#closeListener(id, AbortSignal.abort())
      release(next)
      throw error
    }
    // From here on new exchanges see the new configuration; nothing below can fail.
    this.#running = next
    next.snapshot.takeOver()
    this.#judgeBy(next)
    this.#door.limits = doorLimits(config)
    this.#log.setLevel(logLevel(config))
    for (const [id, prepared] of certificates) if (prepared !== undefined && !opened.includes(id)) this.#renewCertificates(id, prepared)
    for (const id of [...this.#listeners.keys()].filter((id) => !config.listeners.some((listener) => listener.id === id))) {
      void this.#closeListener(id, AbortSignal.timeout(config.system.gracefulShutdownTimeout))
    }
    this.#retire(old, AbortSignal.timeout(config.system.gracefulShutdownTimeout))
  }

  /** What is known of targets stays known; new ones are treated as it says. */
  #judgeBy ({ config, snapshot, plans }: Running): void {
    this.#follower.follow(config, snapshot.upstreams)
    this.#health.use(plans)
    this.#follower.obeyAll(this.#health.orders())
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
    const around = { env: this.#options.env, cookieSecret: this.#cookieSecret, drainMs }
    let instruments: Instruments | undefined
    try {
      for (const agent of config.agents) agents.set(agent.id, this.#leaseAgent(agent, drainMs))
      instruments = await openInstruments(config, this.#leases, this.#log, this.#metrics, readVersion())
      const plans = healthPlans(config, (upstream) => upstreamSettings(upstream, config, around))
      const snapshot = buildSnapshot(config, {
        leases: this.#leases,
        agents: new Map([...agents].map(([id, lease]) => [id, lease.value])),
        admit: (max) => this.#inFlight < max && ++this.#inFlight > 0,
        release: () => { this.#inFlight-- },
        observe: instruments.observe,
        observeLate: instruments.observeLate,
        gate: (settings) => this.#follower.gate(settings),
        ...around,
      })
      return { config, version: versionOf(config), loadedAt: new Date(), agents, instruments, snapshot, plans }
    } catch (error) {
      instruments?.release()
      for (const lease of agents.values()) lease.release()
      throw error instanceof StartError ? error : new StartError(error instanceof Error ? error.message : String(error), [], error)
    }
  }

  #leaseAgent (agent: AgentConfig, drainMs: number): Lease<AgentRuntime> {
    return this.#leases.use(canonicalKey('agent', agentIdentity(agent)), () => openAgent(agent, {
      newSocket: () => join(this.#socketFolder, `${++this.#sockets}.sock`),
      cwd: dirname(this.#options.file),
      env: this.#options.env,
      log: this.#log,
      metrics: this.#metrics,
    }), (runtime) => runtime.close(AbortSignal.timeout(drainMs)))
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

  async #openAdmin ({ observability: { metrics } }: SentinelConfig): Promise<void> {
    if (!metrics.enabled) return
    const admin = createAdmin({
      host: metrics.address.host, port: metrics.address.port, path: metrics.path, metrics: this.#metrics,
      status: () => this.status(), ready: () => this.#state === 'running', log: this.#log.child({ component: 'admin' }),
    })
    const { host, port } = await admin.listen()
    this.#admin = admin
    this.metricsAddress = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
  }

  /** `first` serves until the configuration that opens the listener is the running one. */
  async #openListener (config: ListenerConfig, first: Running): Promise<void> {
    const own = this.#log.child({ component: 'listener', listener: config.id })
    const say = listenerLog(own)
    let site = first.snapshot.siteOf(config.id)! // The configuration that opens a listener has it.
    const tls = await this.#certificates.prepare(config)
    const listener = createListener({ ...boundSettings(config, first.config), ...tls === undefined ? {} : { tls: tls.settings } }, {
      serve: (x, client) => {
        // A request whose head was half there when its listener left the configuration is served as it was meant to be.
        site = this.#running.snapshot.siteOf(config.id) ?? site
        return serve(x, site, client)
      },
      // Who speaks for many clients takes no client's share.
      enter: (client) => this.#door.enter(client === unixPeer || site.isTrusted(client) ? undefined : client),
      log: (event) => {
        this.#metrics.table.listenerFaults.cell(config.id, event.code).add()
        say(event)
      },
      handshake: (outcome) => this.#countHandshake(config.id, outcome),
    })
    try {
      await listener.start()
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      throw new StartError(`listener '${config.id}' cannot listen on ${config.address.text}: ${why}`, [], error)
    }
    this.#listeners.set(config.id, listener)
    if (tls !== undefined) this.#certificates.hold(config.id, tls, listener)
  }

  async #closeListener (id: string, deadline: AbortSignal): Promise<void> {
    const open = this.#listeners.get(id)
    this.#listeners.delete(id)
    this.#certificates.drop(id)
    await open?.close(deadline)
  }

  #renewCertificates (id: string, prepared: PreparedTls): void {
    const listener = this.#listeners.get(id)
    if (listener === undefined) return
    try {
      listener.replaceTls(prepared.settings)
      this.#certificates.hold(id, prepared, listener)
    } catch (error) {
      this.#certificates.kept(id, error)
    }
  }

  #countHandshake (listener: string, { ms, version, resumed, failure }: HandshakeOutcome): void {
    const { table } = this.#metrics
    if (failure !== undefined) return table.tlsHandshakeFailures.cell(listener, failure).add()
    table.tlsHandshakes.cell(listener, version, resumed ? 'resumed' : 'full').add()
    table.tlsHandshakeDuration.cell(version).observe(ms / 1000)
  }

  async #closeAll (deadline: AbortSignal): Promise<void> {
    await Promise.all([...this.#listeners.keys()].map((id) => this.#closeListener(id, deadline)))
    await Promise.all(this.#retiring)
    if (this.#running !== undefined) release(this.#running)
    await this.#leases.settled()
    await this.#admin?.close()
    this.#certificates.close()
    this.#health.close()
    this.#follower.close()
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
