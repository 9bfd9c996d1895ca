import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig, type AgentConfig, type Loaded, type SentinelConfig, type UpstreamConfig } from '../../config/sentinel/index.ts'
import type { MaybePromise } from '../pipeline/body.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { AgentJson } from '../admin/agents-json.ts'
import type { StatusJson } from '../admin/status.ts'
import { TicketSecret } from '../certificates/ticket-secret.ts'
import type { PlanOutcome, ReloadOutcome } from '../control/index.ts'
import type { HeldSocket } from '../listeners/index.ts'
import type { RootLog } from '../observe/log.ts'
import { exposed, formFor } from '../observe/exposition.ts'
import { createMetrics, type Metrics } from '../observe/metrics.ts'
import { AdminServer, type PreparedAdmin } from './admin-server.ts'
import type { MetricsPush } from '../observe/telemetry/metrics-push.ts'
import { agentsJson } from './agent-facts.ts'
import type { AgentReports } from '../observe/agent-reports.ts'
import { AgentHosts } from './agent-host.ts'
import { agentIdentity } from './agent-identity.ts'
import { runAgent, type AgentProgram } from './agent-program.ts'
import { logLevel, summary, versionOf } from './config-facts.ts'
import { agentReports } from './agent-vitals.ts'
import { Discoveries, discoveryKey } from './discoveries.ts'
import { MainLogs, type PreparedLogs } from './main-logs.ts'
import { Onlookers } from './onlookers.ts'
import type { Legacy, Predecessor } from './handover.ts'
import { HealthKeeper } from './health-keeper.ts'
import { healthPlans, type HealthPlans } from './health-plans.ts'
import { canonicalKey, Leases, type Lease } from './leases.ts'
import type { LentEvidence } from './lent-evidence.ts'
import { tellEvidence } from './evidence-metrics.ts'
import { leaseEvidence, leasePush } from './main-leases.ts'
import { warnOfFewDescriptors } from './open-files.ts'
import { openPath } from './open-path.ts'
import type { PlacedSocket } from './placed-socket.ts'
import { planReload, type LoadedWhole } from './reload-plan.ts'
import { pageOf } from './pages.ts'
import { reverseSocket, ReverseSockets } from './reverse-sockets.ts'
import { loadOf } from './main-load.ts'
import type { DataPath, MainSide, Page, PageName, PathFacts } from './seam.ts'
import { makeSocketFolder } from './socket-folder.ts'
import { SocketTable, type PreparedSockets } from './socket-table.ts'
import { StartError } from './start-error.ts'
import { statusOf } from './status.ts'
import { followDrains, outlive, Succession } from './succession.ts'
import type { TargetSettings } from '../upstreams/index.ts'
import { alone, upstreamSettings } from './upstream-settings.ts'
import { readVersion } from './version.ts'

export interface ProxyOptions {
  readonly file: string
  /** The process that handed this one its sockets. */
  readonly predecessor?: Predecessor | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly log: RootLog
  /** Descriptors of sockets that somebody else has bound, by `socketKey`. */
  readonly inherited?: ReadonlyMap<string, number>
  /** The sockets of the first configuration are bound, and nothing else has been opened or started: the time to become another user. */
  readonly bound?: (config: SentinelConfig, ownFolder: string) => Promise<void>
  /** A successor came to nothing: what it may have taken by name is this process's again. Must not reject. */
  readonly takeBack?: () => Promise<void>
  /** A reload has read this, and is about to try it. */
  readonly read?: (loaded: Loaded) => void
}

/** What main has of one configuration. */
interface Running {
  readonly generation: number
  readonly config: SentinelConfig
  /** What the file said, for those who compare. */
  readonly loaded: LoadedWhole | undefined
  readonly version: string
  readonly loadedAt: Date
  readonly programs: ReadonlyMap<string, Lease<AgentProgram>>
  readonly evidence: Lease<Promise<LentEvidence>> | undefined
  /** What `evidence` came to. */
  readonly records: LentEvidence | undefined
  readonly sockets: ReadonlyMap<string, HeldSocket>
  readonly discoveries: ReadonlyArray<Lease<unknown>>
  readonly push: Lease<Promise<MetricsPush>> | undefined
  readonly plans: HealthPlans
}

/** The proxy: reads configurations, holds what there must be once, and has the data path serve. */
export class Proxy {
  readonly #options: ProxyOptions
  readonly #log: RootLog
  readonly #leases = new Leases()
  readonly #metrics: Metrics
  readonly #agentSockets = makeSocketFolder()
  readonly #sockets: SocketTable
  readonly #reverse: ReverseSockets
  readonly #admin: AdminServer
  readonly #tickets: TicketSecret
  readonly #discoveries: Discoveries
  readonly #health: HealthKeeper
  readonly #logs: MainLogs
  readonly #reports: AgentReports
  #cookieSecret = randomBytes(32).toString('base64')
  #path: DataPath | undefined
  #running: Running | undefined
  /** Configurations that something of the data path may still use, by their generation; the running one and one that is made ready among them. */
  readonly #held = new Map<number, Running>()
  #generations = 0
  #agentSocketsMade = 0
  readonly #hosts = new AgentHosts()
  readonly onlookers = new Onlookers(() => this.#path, () => this.#running?.config)
  #state: StatusJson['state'] = 'starting'
  #lastReload: StatusJson['config']['last_reload']
  #reloading: Promise<unknown> = Promise.resolve()
  #stopped: Promise<void> | undefined
  readonly #after = new Succession()
  /** What the one before this one still finishes is written here. */
  #writesFor: Predecessor | undefined
  /** Nothing is waited for any more. */
  readonly #hurry = new AbortController()

  constructor (options: ProxyOptions) {
    this.#options = options
    this.#log = options.log
    this.#metrics = createMetrics({ version: readVersion() })
    const inherited = options.predecessor?.descriptors ?? options.inherited
    this.#reverse = new ReverseSockets(this.#log, (listener, socket) => {
      if (!this.#after.takes(listener, socket)) this.#path?.agentArrived(listener, socket)
    })
    this.#sockets = new SocketTable(this.#log, () => this.#path === undefined ? undefined : this.#reverse.beside(this.#path), inherited)
    this.#admin = new AdminServer({
      metrics: (accept) => this.#fresh(() => exposed(this.#metrics, formFor(accept))),
      status: () => this.#fresh(() => this.status()), log: this.#log.child({ component: 'admin' }),
      ready: () => this.#state === 'running', draining: () => this.#state === 'draining',
    }, inherited)
    this.#logs = new MainLogs(this.#log, this.#metrics, async () => this.#path?.reopenLogs())
    this.#tickets = new TicketSecret((secret) => this.#path?.renewTickets(secret))
    this.#discoveries = new Discoveries({
      leases: this.#leases, log: this.#log, metrics: this.#metrics, env: options.env, tell: (key, targets) => this.#discovered(key, targets),
    })
    this.#health = new HealthKeeper({ log: this.#log, metrics: this.#metrics, tell: (orders) => this.#path?.health(orders) })
    this.#reports = agentReports(this.#log, this.#metrics, () => this.#running?.config.agents ?? [])
    this.#metrics.onScrape((table) => tellEvidence(table, this.#running?.records?.stats()))
  }

  /**
   * Makes ready what the first configuration asks for, and has it served. Resolves with what is to be called as soon as everybody finds this process: the one
   * before it ends then. Rejects with a `StartError` and leaves nothing open.
   */
  async start (config: SentinelConfig, loaded?: Loaded): Promise<() => void> {
    try {
      this.#log.setLevel(logLevel(config))
      warnOfFewDescriptors(config, this.#log)
      const drains = followDrains(this.#options.predecessor, this.#health)
      const legacy = await this.#followOn(config)
      const path = this.#path = await openPath(config, {
        main: this.#mainSide(), log: this.#log, metrics: this.#metrics, env: this.#options.env, orders: () => this.#health.orders(),
        ticketSecret: this.#tickets.current, cookieSecret: this.#cookieSecret,
      })
      const { running, take } = await this.#prepare(config, loaded === undefined ? undefined : { ...loaded, config })
      this.#running = running
      take()
      await path.commit()
      await this.#reverse.use(config.reverseListeners, running.sockets)
      this.#health.use(running.plans)
      drains.begin(legacy?.drained)
      this.#judge(running, () => true)
      this.#metrics.configReloaded(true)
      this.#state = 'running'
      return () => {
        this.#writesFor = this.#options.predecessor
        this.#options.predecessor?.ready((file, entry) => { if (this.#running?.config.evidence?.file === file) this.#running.records?.add(entry) })
        if (legacy !== undefined) this.#sockets.own(legacy.files)
      }
    } catch (error) {
      await this.#closeAll(2_000, this.#options.predecessor !== undefined)
      await this.#options.predecessor?.failed(error instanceof Error ? error.message : String(error))
      throw error
    }
  }

  /** The process before this one lets go of what only one can have. */
  async #followOn ({ evidence, agents }: SentinelConfig): Promise<Legacy | undefined> {
    const agentSockets = agents.flatMap(({ transport }) => transport.kind === 'unix' && transport.path !== undefined ? [transport.path] : [])
    const legacy = await this.#options.predecessor?.release({ evidence: evidence?.file, agentSockets })
    if (legacy === undefined) return undefined
    this.#cookieSecret = legacy.cookieSecret
    this.#tickets.inherit(Buffer.from(legacy.ticketSecret, 'base64'))
    return legacy
  }

  /** The answers that all processes keep. */
  get answers (): KeptAnswers {
    return { purge: (what) => this.#path!.answers.purge(what), facts: () => this.#path!.answers.facts() }
  }

  get metricsAddress (): string | undefined {
    return this.#admin.address
  }

  status (): StatusJson {
    const running = this.#running! // Asked from `start` on.
    return statusOf({
      version: readVersion(), state: this.#state, file: this.#options.file, configVersion: running.version, loadedAt: running.loadedAt,
      lastReload: this.#lastReload, config: running.config, sockets: running.sockets, path: this.#path!.facts(),
      programs: new Map([...running.programs].map(([id, { value }]) => [id, value.program])), evidence: running.records?.stats(), health: this.#health.state(),
      discovery: (upstream) => this.#discoveries.stateOf(upstream), vitals: (agent) => this.#reports.vitals(agent),
    })
  }

  get facts (): PathFacts { return this.#path!.facts() } // Asked from `start` on.

  /** Takes a target out of its upstream, over all reloads, or puts it back: its exchanges finish, new ones go elsewhere. False: there is none. */
  drain (upstream: string, target: string, on: boolean): boolean {
    this.#after.drained(upstream, target, on)
    return this.#health.drain(upstream, target, on)
  }

  /** How agents do, in all workers. */
  readonly agents = (): Promise<AgentJson[]> => this.#fresh(() => agentsJson(this.status(), this.#path!.facts(), this.#metrics.families()))

  /** Takes over what the file says now: all of it, or nothing. Reloads do not overlap. Never rejects: the outcome is logged and counted, too. */
  reload (): Promise<ReloadOutcome> {
    const over = this.#reloading.then(() => this.#reload())
    this.#reloading = over
    return over
  }

  async #reload (): Promise<ReloadOutcome> {
    const whyNot = this.#whyNot
    if (whyNot !== undefined) {
      this.#log.warn(`not reloaded: ${whyNot}`, { event: 'reload-ignored' })
      return { ok: false, error: whyNot, problems: [] }
    }
    const before = this.#running!
    try {
      const { version } = await this.#takeOver()
      this.#lastReload = { at: new Date().toISOString(), ok: true }
      this.#metrics.configReloaded(true)
      this.#log.info('configuration taken over', { event: 'reloaded', config_version: version })
      return { ok: true, version, changed: version !== before.version }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.#lastReload = { at: new Date().toISOString(), ok: false, error: why }
      this.#metrics.configReloaded(false)
      this.#log.error(`the configuration was not taken over, the old one stays: ${why}`, { event: 'reload-failed', code: 'RELOAD_FAILED' })
      return { ok: false, error: why, problems: error instanceof StartError ? error.problems : [] }
    }
  }

  /** Why nothing can be changed, when nothing can. */
  get #whyNot (): string | undefined {
    if (this.#after.successor !== undefined) return `process ${this.#after.successor.pid} has taken over meanwhile: ask again`
    return this.#state === 'running' ? undefined : 'the proxy is starting or stopping'
  }

  /** What a reload would do now. Reads the files and nothing else: agents are not asked. */
  async plan (): Promise<PlanOutcome> {
    const old = this.#running!
    const next = await loadConfig(this.#options.file, { env: this.#options.env })
    if (next.config === undefined) return { ok: false, error: summary(next.problems), problems: next.problems }
    if (old.loaded === undefined) throw new Error('nobody kept what the running configuration said')
    return planReload(this.#options.file, old.loaded, { ...next, config: next.config }, this.#path!.facts())
  }

  /** Whether it does what it should: it serves, or finishes what it has. */
  get isWell (): boolean {
    return this.#state !== 'starting'
  }

  /**
   * Starts the program that is on disk now and hands it the sockets; when it serves, this process is to `stop`. Rejects, with a sentence for the
   * operator, when it does not come to that: everything is as before.
   */
  upgrade (cwd: string): Promise<{ readonly pid: number }> {
    const over = this.#reloading.then(() => this.#upgrade(cwd))
    this.#reloading = over.then(() => {}, () => {})
    return over
  }

  async #upgrade (cwd: string): Promise<{ readonly pid: number }> {
    const whyNot = this.#whyNot
    if (whyNot !== undefined) throw new Error(whyNot)
    const { config, programs, records } = this.#running! // It runs.
    try {
      const { pid } = await this.#after.begin({
        cwd, env: this.#options.env, log: this.#log, config, programs, records, takeBack: this.#options.takeBack,
        descriptors: [...this.#sockets.descriptors(), ...this.#admin.descriptors()],
        legacy: () => ({
          ticketSecret: this.#tickets.current.toString('base64'), cookieSecret: this.#cookieSecret, drained: this.#health.drained, files: this.#sockets.files,
        }),
      }, () => this.#path?.turnAgentsAway())
      this.#logs.handOver()
      return { pid }
    } catch (error) {
      if (!this.#after.isGivenUp) this.#metrics.upgradeFailed()
      throw error
    }
  }

  /** After a log rotation. A file that cannot be opened leaves the old one in use, and the log says so. */
  async reopenLogs (): Promise<void> {
    if (this.#state === 'running') await this.#logs.reopenTold()
  }

  /**
   * Says that it is not ready any more and waits for balancers to notice, stops accepting, lets open exchanges end within the configured time, stops
   * agents, removes sockets. With `now` nothing is waited for, not even by a stop that is going on.
   */
  stop (now = false): Promise<void> {
    if (now) this.#hurry.abort()
    return this.#stopped ??= this.#stop()
  }

  async #stop (): Promise<void> {
    this.#state = 'draining'
    // What one that is about to serve has of this process comes back first.
    await this.#after.giveUp()
    const { shutdownDelay = 0, gracefulShutdownTimeout = 0 } = this.#running?.config.system ?? {}
    const { signal } = this.#hurry
    const hurried = new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve(), { once: true }) })
    if (!signal.aborted) await Promise.race([this.#reloading, hurried]) // What it opens must be known to be closed.
    if (shutdownDelay > 0 && !signal.aborted && this.#after.successor === undefined) await sleep(shutdownDelay, undefined, { signal }).catch(() => {})
    const closed = this.#closeAll(signal.aborted ? 0 : gracefulShutdownTimeout, this.#after.successor !== undefined)
    void hurried.then(() => this.#path?.close(0))
    await closed
  }

  #mainSide (): MainSide {
    return {
      retired: (generation) => this.#letGo(generation),
      evidence: (generation, entry) => this.#held.get(generation)?.records?.add(entry),
      evidenceLost: (generation, count) => this.#held.get(generation)?.records?.lost(count),
      heard: (evidence) => this.#health.heard(evidence),
      agentReport: (agent, report) => this.#reports.take(agent, report),
      agentSign: (agent, sign) => this.#running?.programs.get(agent)?.value.program?.sign(sign),
      seen: (tail, seen, sent) => {
        this.onlookers.take(tail, seen)
        sent()
      },
      heardAt: (evidence) => this.#health.heardAt(evidence),
      answers: this.answers,
      page: (name) => this.#page(name),
    }
  }

  async #takeOver (): Promise<Running> {
    const loaded = await loadConfig(this.#options.file, { env: this.#options.env })
    this.#options.read?.(loaded)
    const { config, problems } = loaded
    if (config === undefined) throw new StartError(summary(problems), problems)
    const { running, take } = await this.#prepare(config, { ...loaded, config })
    // The data path lets go of the old one when its last exchange is over.
    await this.#path!.commit()
    this.#running = running
    take()
    await this.#reverse.use(config.reverseListeners, running.sockets)
    this.#health.use(running.plans)
    this.#judge(running, () => true)
    this.#log.setLevel(logLevel(config))
    return running
  }

  /** Makes ready what the configuration asks for, on both sides of the seam. Rejects and holds nothing of it when it cannot be. */
  async #prepare (config: SentinelConfig, loaded: LoadedWhole | undefined): Promise<{ readonly running: Running, readonly take: () => void }> {
    const generation = ++this.#generations
    const programs = new Map<string, Lease<AgentProgram>>()
    let evidence: Lease<Promise<LentEvidence>> | undefined
    let admin: PreparedAdmin | undefined
    let bound: PreparedSockets | undefined
    let logs: PreparedLogs | undefined
    let discoveries: Running['discoveries'] = []
    let push: Running['push']
    try {
      const { sockets, take } = bound = await this.#sockets.prepare([...config.listeners, ...config.reverseListeners.map(reverseSocket)])
      if (this.#running === undefined) await this.#options.bound?.(config, this.#agentSockets)
      logs = this.#logs.prepare(config)
      for (const agent of config.agents) programs.set(agent.id, this.#leaseProgram(agent, config.system.gracefulShutdownTimeout))
      evidence = config.evidence === undefined ? undefined : leaseEvidence(config.evidence, this.#leases, this.#log)
      const records = await evidence?.value
      discoveries = await this.#discoveries.use(config.upstreams)
      push = leasePush(config, this.#leases, this.#log, () => this.#fresh(() => this.#metrics.families()))
      await push?.value
      const plans = this.#plansOf(config)
      admin = await this.#admin.prepare(config.observability.metrics)
      const running: Running = {
        generation, config, loaded, version: versionOf(config), loadedAt: new Date(), programs, evidence, records, sockets, discoveries, push, plans,
      }
      this.#held.set(generation, running)
      const first = this.#running === undefined
      const strict = !first || this.#options.predecessor !== undefined
      const load = await loadOf(running, strict)
      if (first && config.reverseListeners.length > 0) this.#options.predecessor?.agents((listener, socket) => this.#path!.agentArrived(listener, socket))
      await this.#path!.prepare({ ...load, health: this.#health.orders(), discovered: this.#discoveries.found() })
      return {
        running,
        take: () => {
          admin?.take()
          logs?.take()
          take()
        },
      }
    } catch (error) {
      this.#held.delete(generation)
      for (const lease of programs.values()) lease.release()
      evidence?.release()
      for (const lease of discoveries) lease.release()
      push?.release()
      await admin?.discard()
      logs?.discard()
      await bound?.discard()
      throw error instanceof StartError ? error : new StartError(error instanceof Error ? error.message : String(error), [], error)
    }
  }

  #plansOf (config: SentinelConfig): HealthPlans {
    const around = { env: this.#options.env, cookieSecret: this.#cookieSecret, drainMs: config.system.gracefulShutdownTimeout, among: alone }
    return healthPlans(config, (upstream) => {
      const { connecting, changeable } = upstreamSettings(upstream, config, around)
      return { connecting, changeable: { targets: [...changeable.targets, ...this.#discoveries.targetsOf(upstream)] } }
    })
  }

  /** Those who ask targets first: what is judged of a target reaches nobody who does not have it. */
  #discovered (key: string, targets: readonly TargetSettings[]): void {
    this.#path?.discovered(key, targets)
    const running = this.#running
    if (running !== undefined && this.#state !== 'starting') this.#judge(running, (upstream) => discoveryKey(upstream) === key)
  }

  /** Has the targets judged that were found by now. */
  #judge ({ config }: Running, which: (upstream: UpstreamConfig) => boolean): void {
    const concerned = config.upstreams.filter((upstream) => upstream.discovery !== undefined && which(upstream))
    if (concerned.length === 0) return
    for (const { upstream, targets } of this.#plansOf({ ...config, upstreams: concerned }).plans) this.#health.retarget(upstream, targets)
  }

  #leaseProgram (agent: AgentConfig, drainMs: number): Lease<AgentProgram> {
    const key = canonicalKey('agent', agentIdentity(agent))
    const before = this.#leases.has(key) ? undefined : this.#stepAside(agent)
    return this.#leases.use(key, () => runAgent(agent, {
      newSocket: () => join(this.#agentSockets, `${++this.#agentSocketsMade}.sock`),
      cwd: dirname(this.#options.file),
      env: this.#options.env,
      log: this.#log,
      metrics: this.#metrics,
      hosts: this.#hosts,
      started: (place) => this.#path?.agentStarted(place),
    }), async (program) => {
      await program.stop(AbortSignal.any([AbortSignal.timeout(drainMs), this.#hurry.signal]))
      before?.stepBack()
    })
  }

  /** An agent that becomes another process, and keeps the socket that the operator placed for it. */
  #stepAside ({ transport }: AgentConfig): PlacedSocket | undefined {
    if (transport.kind !== 'unix' || transport.path === undefined) return undefined
    const before = this.#running?.config.agents.find((one) => one.transport.kind === 'unix' && one.transport.path === transport.path)
    const placed = before === undefined ? undefined : this.#running?.programs.get(before.id)?.value.placed
    return placed?.stepAside() === true ? placed : undefined
  }

  #page (name: PageName): Promise<Page> {
    return this.#fresh(() => pageOf(name, {
      status: this.status(), state: this.#state, loaded: this.#running?.loaded,
      metrics: { contentType: this.#metrics.contentType, text: () => this.#metrics.render() },
    }))
  }

  /** What is told of the data path is of this moment. */
  async #fresh<T> (tell: () => MaybePromise<T>): Promise<T> {
    await this.#path?.refresh()
    return tell()
  }

  #letGo (generation: number): void {
    const held = this.#held.get(generation)
    this.#held.delete(generation)
    for (const lease of held?.programs.values() ?? []) lease.release()
    held?.evidence?.release()
    for (const lease of held?.discoveries ?? []) lease.release()
    held?.push?.release()
  }

  /** `servesOn`: another process accepts from the same sockets. */
  async #closeAll (graceMs: number, servesOn = false): Promise<void> {
    this.#reverse.close()
    this.#sockets.close(servesOn)
    const untilMs = performance.now() + graceMs
    await this.#path?.close(graceMs)
    if (this.#writesFor !== undefined && this.#running?.records !== undefined) await outlive(this.#writesFor, untilMs - performance.now(), this.#hurry.signal)
    for (const generation of this.#held.keys()) this.#letGo(generation)
    await this.#leases.settled()
    this.#after.successor?.leave()
    await this.#admin.close()
    this.#tickets.close()
    await this.#logs.close()
    this.#health.close()
    this.#metrics.close()
    rmSync(this.#agentSockets, { recursive: true, force: true })
  }
}
