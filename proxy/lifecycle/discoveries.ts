import { createHash } from 'node:crypto'
import type { UpstreamConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { MetricTable } from '../observe/metrics-table.ts'
import type { TargetSettings } from '../upstreams/index.ts'
import type { Discovery, DiscoveryEvent, DiscoveryState, Source } from '../upstreams/discovery/index.ts'
import { canonicalKey, Leases, type Lease } from './leases.ts'

type DiscoveryConfig = NonNullable<UpstreamConfig['discovery']>
/** Loaded only where somebody is asked. */
type Parts = typeof import('../upstreams/discovery/index.ts')
type Env = Readonly<Record<string, string | undefined>>

export interface DiscoverySurroundings {
  readonly leases: Leases
  readonly log: Log
  readonly metrics: Metrics
  readonly env: Env
  /** Those who ask targets are told. */
  readonly tell: (key: string, targets: readonly TargetSettings[]) => void
}

interface Running {
  readonly discovery: Discovery
  readonly upstream: string
  readonly kind: string
  /** Equal for those who ask the same, however often they do. */
  readonly question: string
}

export interface DiscoveryStatus extends DiscoveryState {
  readonly kind: string
}

/** How long a start or a reload waits for first answers: what runs into it serves without targets until there is one. */
const firstAnswerMs = 2_000

/** Names the discovery of an upstream: the same for the same settings. A digest, for there may be a token among them. */
export function discoveryKey ({ id, discovery }: Pick<UpstreamConfig, 'id' | 'discovery'>): string | undefined {
  return discovery === undefined ? undefined : digest('discovery', { id, discovery })
}

/** The side of main: one discovery for each upstream that has one, over all reloads that leave it as it is. */
export class Discoveries {
  readonly #around: DiscoverySurroundings
  readonly #running = new Map<string, Running>()

  constructor (around: DiscoverySurroundings) {
    this.#around = around
    around.metrics.onScrape((table) => this.#tell(table))
  }

  /** Asks for all upstreams, and resolves when there are first answers, or when that takes long. */
  async use (upstreams: readonly UpstreamConfig[]): Promise<ReadonlyArray<Lease<unknown>>> {
    if (upstreams.every(({ discovery }) => discovery === undefined)) return []
    const parts = await import('../upstreams/discovery/index.ts')
    const leases = upstreams.flatMap(({ id, discovery }) => discovery === undefined ? [] : [this.#lease(parts, id, discovery)])
    await settled(leases.map(({ value }) => value.discovery.first))
    return leases
  }

  /** What is known by now, by the key of the discovery. */
  found (): ReadonlyMap<string, readonly TargetSettings[]> {
    return new Map([...this.#running].map(([key, { discovery }]) => [key, discovery.state.targets]))
  }

  /** Those of one upstream. */
  targetsOf (upstream: UpstreamConfig): readonly TargetSettings[] {
    return this.stateOf(upstream)?.targets ?? []
  }

  stateOf (upstream: UpstreamConfig): DiscoveryStatus | undefined {
    const running = this.#running.get(discoveryKey(upstream) ?? '')
    return running === undefined ? undefined : { ...running.discovery.state, kind: running.kind }
  }

  #lease (parts: Parts, id: string, config: DiscoveryConfig): Lease<Running> {
    const key = discoveryKey({ id, discovery: config })!
    return this.#around.leases.use(key, () => this.#open(parts, key, id, config), async (value) => {
      value.discovery.close()
      this.#running.delete(key)
    })
  }

  #open (parts: Parts, key: string, upstream: string, config: DiscoveryConfig): Running {
    const { log, metrics, env, tell } = this.#around
    const own = log.child({ component: 'discovery', upstream, kind: config.kind })
    const question = digest('question', { upstream, ...config, refreshInterval: undefined, timeout: undefined, allowEmpty: undefined, token: undefined })
    const before = [...this.#running.values()].find((one) => one.question === question)?.discovery.state.targets
    const { discoveryRefreshes } = metrics.table
    const discovery = new parts.Discovery(sourceOf(parts, config, env), {
      intervalMs: 'refreshInterval' in config ? config.refreshInterval : 86_400_000, allowEmpty: config.allowEmpty, ...before === undefined ? {} : { before },
    }, {
      found: (targets) => tell(key, targets),
      asked: (success) => discoveryRefreshes.cell(upstream, success ? 'success' : 'failure').add(),
      told: (event) => say(own, upstream, event),
    })
    const running = { discovery, upstream, kind: config.kind, question }
    this.#running.set(key, running)
    return running
  }

  #tell ({ discoveryTargets, discoveryAge }: MetricTable): void {
    discoveryTargets.clear()
    discoveryAge.clear()
    for (const { upstream, discovery: { state: { targets, ageMs } } } of this.#running.values()) {
      discoveryTargets.cell(upstream).set(targets.length)
      if (ageMs !== undefined) discoveryAge.cell(upstream).set(ageMs / 1000)
    }
  }
}

function digest (kind: string, settings: unknown): string {
  return createHash('sha256').update(canonicalKey(kind, settings)).digest('hex').slice(0, 24)
}

async function settled (answers: ReadonlyArray<Promise<void>>): Promise<void> {
  if (answers.length === 0) return
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, firstAnswerMs) })
  await Promise.race([Promise.all(answers), late])
  clearTimeout(timer)
}

function sourceOf ({ sources }: Parts, config: DiscoveryConfig, env: Env): Source {
  const timeoutMs = config.timeout
  switch (config.kind) {
    case 'static': return sources.static(config)
    case 'file': return sources.file({ path: config.path, timeoutMs })
    case 'dns': {
      const { hostname, port, resolvers, isService, refreshInterval: intervalMs } = config
      return sources.dns({ hostname, port, resolvers, isService, intervalMs, timeoutMs })
    }
    case 'consul': {
      const { service, onlyPassing, refreshInterval: intervalMs, datacenter, tag, token } = config
      return sources.consul({
        ...apiOf(config), service, onlyPassing, intervalMs, timeoutMs,
        ...datacenter === undefined ? {} : { datacenter }, ...tag === undefined ? {} : { tag }, ...token === undefined ? {} : { token },
      })
    }
    case 'docker': {
      const { service, network } = config
      return sources.docker({ ...apiOf(config), timeoutMs, ...service === '' ? {} : { service }, ...network === undefined ? {} : { network } })
    }
    case 'kubernetes': {
      const { namespace, service, portName, kubeconfig, refreshInterval: intervalMs } = config
      return sources.kubernetes({
        namespace, service, intervalMs, timeoutMs, env, ...portName === undefined ? {} : { portName }, ...kubeconfig === undefined ? {} : { kubeconfig },
      })
    }
  }
}

function apiOf ({ address: { host, port, path, secure }, caCert, clientCert, clientKey }: Extract<DiscoveryConfig, { kind: 'consul' | 'docker' }>) {
  return {
    host, port, secure, ...path === undefined ? {} : { socketPath: path },
    ...caCert === undefined ? {} : { caCert }, ...clientCert === undefined ? {} : { clientCert }, ...clientKey === undefined ? {} : { clientKey },
  }
}

/** So many names are in a line of the log. */
const named = 20

function say (log: Log, upstream: string, event: DiscoveryEvent): void {
  switch (event.event) {
    case 'changed': {
      const { total, added, removed } = event
      return log.info(`upstream '${upstream}' has ${total} target${total === 1 ? '' : 's'} now: ${added.length} came, ${removed.length} left`, {
        event: 'targets-changed', total, added: added.slice(0, named), removed: removed.slice(0, named),
      })
    }
    case 'kept': return log.warn(`upstream '${upstream}': ${event.why}`, { event: 'targets-kept' })
    case 'skipped': return log.warn(`upstream '${upstream}': entries were left out: ${event.why}`, { event: 'targets-skipped' })
    case 'failed': return log.warn(`the targets of upstream '${upstream}' could not be asked for: ${event.why}`, { event: 'discovery-failed' })
    case 'recovered': return log.info(`the targets of upstream '${upstream}' could be asked for again`, { event: 'discovery-recovered' })
  }
}
