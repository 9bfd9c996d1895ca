import type { AgentConfig, ListenerConfig, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { peerMatcher } from '../../config/schema/address.ts'
import type { Cache, StoreSettings } from '../cache/index.ts'
import type { agentFilter } from '../decisions/index.ts'
import type { Exchange, Filter, Responder, Route } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { canonicalName } from '../pipeline/headers.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { Shares } from '../pipeline/shares.ts'
import type { Site } from '../pipeline/serve.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import { fixedAnswer } from '../services/index.ts'
import type { Admission } from '../state/index.ts'
import {
  behind, createTargetStore, createUpstream, type ConnectingSettings, type Gate, type GateSettings, type ReplayRoom, type TargetSettings, type Upstream,
} from '../upstreams/index.ts'
import { Places, webSocketFilter, type WebSocketSettings } from '../websocket/index.ts'
import type { AgentRuntime } from './agent-runtime.ts'
import { discoveryKey } from './discoveries.ts'
import { gatesOf } from './health-plans.ts'
import { canonicalKey, type Leases } from './leases.ts'
import { httpsPort, redirectRoute } from './redirect-https.ts'
import { ownFilter, rulesAfter, rulesBefore } from './route-filters.ts'
import { placesFilter, RoutePlaces } from './route-places.ts'
import { keepsAnswers, routeCacheSettings, storeSettings } from './route-cache.ts'
import { routePolicy } from './route-policy.ts'
import { defaultRouteOf, filterSettings, maxBodyBytes, receptionOf, planOf, routerEntries, type Step } from './route-plan.ts'
import { upstreamSettings, type Among, type UpstreamParts } from './upstream-settings.ts'

/** What a snapshot takes from the process around it. */
export interface Surroundings {
  readonly leases: Leases
  readonly agents: ReadonlyMap<string, AgentRuntime>
  /** There when there are agents. */
  readonly askAgent: typeof agentFilter | undefined
  readonly admission: Pick<Admission, 'enter' | 'release'>
  readonly shares: Shares
  readonly observe: Site['observe']
  readonly observeLate: Parameters<typeof agentFilter>[1]['recordLate']
  readonly gate: (settings: GateSettings) => Gate
  /** The answers that all processes keep, for those who are asked about them. */
  readonly answers: KeptAnswers
  /** There when a route keeps answers. */
  readonly openCache: ((settings: StoreSettings) => Cache) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  /** What cookies are signed with for which nobody configured a secret; the same as long as the proxy runs. */
  readonly cookieSecret: string
  readonly among: Among
  /** Targets that were found by now, by the key of the discovery. */
  readonly discovered: ReadonlyMap<string, readonly TargetSettings[]>
  /** How long a pool that nobody needs any more may finish its exchanges. */
  readonly drainMs: number
}

/** Everything the data path needs of one configuration. Nothing in it changes; the next configuration makes another. */
export interface Snapshot {
  readonly config: SentinelConfig
  /** `undefined` for a listener of another configuration. */
  readonly siteOf: (listener: string) => Site | undefined
  /** Who has a tunnel on a route, for those that have some. */
  readonly tunnels: ReadonlyMap<string, Places>
  readonly upstreams: ReadonlyMap<string, Upstream>
  /** The answers that this process keeps, when a route keeps some. */
  readonly kept: Cache | undefined
  /** The targets that a discovery found have become others. */
  readonly discovered: (key: string, targets: readonly TargetSettings[]) => void
  /** It is the configuration in use from here on: targets that others have as well do as this one says. */
  readonly takeOver: () => void
  /** Resolves when no exchange uses this snapshot any more, or when the deadline aborts. */
  readonly emptied: (deadline: AbortSignal) => Promise<void>
  /** Lets go of pools that no newer snapshot holds. */
  readonly retire: () => void
}

export function buildSnapshot (config: SentinelConfig, around: Surroundings): Snapshot {
  const held: Array<() => void> = []
  try {
    const replaced = new Map<string, (targets: readonly TargetSettings[]) => void>()
    const upstreams = new Map(config.upstreams.map((upstream): [string, Upstream] => {
      const parts = upstreamSettings(upstream, config, around)
      const key = discoveryKey(upstream)
      const leased = leaseUpstream(parts, key, around, held)
      if (key !== undefined) replaced.set(key, (targets) => leased.set.replace([...parts.changeable.targets, ...targets]))
      return [upstream.id, leased]
    }))
    const lend = <T>(key: string, make: () => T): T => {
      const lease = around.leases.use(key, make, () => Promise.resolve())
      held.push(() => lease.release())
      return lease.value
    }
    const tunnels = new Map<string, Places>()
    const kept = lend<ReplayRoom>('bodies kept', () => ({ used: 0 }))
    const place = storeSettings(config)
    const cache = around.openCache === undefined ? undefined : leaseCache(place, around.openCache, around.leases, held)
    const guardedHeaders = guardedBy(config.agents, around.agents)
    const before: Before = (route, responder) => {
      if (cache === undefined || !keepsAnswers(route, config)) return responder
      return cache.before(responder, routeCacheSettings(route, config, guardedHeaders), around.answers)
    }
    const entries = routerEntries(config, (route) => compileRoute(route, config, upstreams, { ...around, lend, kept, tunnels, before }))
    const router = compileRouter(entries)
    const named = new Map(entries.map(({ value }) => [value.name, value]))
    const users = countUsers()
    const sites = new Map(config.listeners.map((listener): [string, Site] => [listener.id, {
      isTrusted: peerMatcher(listener.trustedProxies),
      guardedHeaders,
      match: matchOf(listener, router, named.get(defaultRouteOf(listener, config.routes)?.id ?? ''), httpsPort(config.listeners)),
      ...admissionOf(around.admission, users),
      observe: around.observe,
    }]))
    return {
      config,
      siteOf: (listener) => sites.get(listener),
      tunnels,
      emptied: users.emptied,
      kept: cache,
      upstreams,
      discovered: (key, targets) => replaced.get(key)?.(targets),
      takeOver: () => { for (const { set } of upstreams.values()) set.takeOver() },
      retire: () => { for (const release of held) release() },
    }
  } catch (error) {
    for (const release of held) release()
    throw error
  }
}

/** Targets are shared with every configuration that connects to them in the same way; where all is the same, so is the upstream. */
function leaseUpstream (parts: UpstreamParts, discovery: string | undefined, around: Surroundings, held: Array<() => void>): Upstream {
  const { connecting, changeable } = parts
  const { leases, drainMs, discovered } = around
  const store = leases.use(canonicalKey('targets', sharedBy(connecting)), () => createTargetStore(connecting), () => Promise.resolve())
  held.push(() => store.release())
  const found = discovery === undefined ? [] : discovered.get(discovery) ?? []
  const make = (): Upstream => createUpstream({ ...connecting, ...changeable, targets: [...changeable.targets, ...found] }, store.value)
  const upstream = leases.use(canonicalKey('upstream', { connecting, changeable, discovery }), make, (value) => value.close(AbortSignal.timeout(drainMs)))
  held.push(() => upstream.release())
  return upstream.value
}

/** What is kept outlives a reload. */
function leaseCache (place: StoreSettings, open: (settings: StoreSettings) => Cache, leases: Leases, held: Array<() => void>): Cache {
  const lease = leases.use(canonicalKey('cache', place), () => open(place), (cache) => cache.close())
  held.push(() => lease.release())
  return lease.value
}

/** Connections of HTTP/1.1 have no time-outs of their own: exchanges bring theirs. */
function sharedBy (connecting: ConnectingSettings): Partial<ConnectingSettings> {
  const { readTimeoutMs: _read, writeTimeoutMs: _write, ...lasting } = connecting
  return connecting.http2 === undefined ? lasting : connecting
}

function matchOf (listener: ListenerConfig, router: Pick<Router<Route>, 'match'>, otherwise: Route | undefined, port: number): Site['match'] {
  const routes: Site['match'] = (x) => router.match(x.request) ?? otherwise
  // What every request would ask again is decided once.
  if (listener.namespace === undefined && !listener.redirectHttps) return routes
  const redirect = redirectRoute(port)
  return (x) => {
    const reception = receptionOf(listener, x)
    return reception === 'routes' ? routes(x) : reception === 'redirect' ? redirect : undefined
  }
}

/** An exchange uses the snapshot while it waits as well: what it is going to need must be there then. */
function admissionOf (admission: Surroundings['admission'], users: Users): Pick<Site, 'admit' | 'release'> {
  return {
    admit (x) {
      users.enter()
      try {
        const place = admission.enter(x.ending)
        return place?.catch((error: unknown) => {
          users.leave()
          throw error
        })
      } catch (error) {
        users.leave()
        throw error
      }
    },
    release (x) {
      users.leave()
      admission.release(x.upstreamMs)
    },
  }
}

interface Users {
  enter (): void
  leave (): void
}

/** How many exchanges use a snapshot, so that what it holds is not taken from under them. */
function countUsers () {
  let users = 0
  let empty = (): void => {}
  return {
    enter (): void {
      users++
    },
    leave (): void {
      if (--users === 0) empty()
    },
    emptied (deadline: AbortSignal): Promise<void> {
      if (users === 0 || deadline.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        empty = resolve
        deadline.addEventListener('abort', () => resolve(), { once: true })
      })
    },
  }
}

interface RouteSurroundings extends Surroundings {
  /** Counts that outlive a reload, by their name. */
  readonly lend: <T>(key: string, make: () => T) => T
  readonly kept: ReplayRoom
  readonly tunnels: Map<string, Places>
  readonly before: Before
}

/** Puts what is kept of a route's answers before whoever gives them. */
type Before = (route: RouteConfig, responder: Responder) => Responder

function compileRoute (route: RouteConfig, config: SentinelConfig, upstreams: ReadonlyMap<string, Upstream>, around: RouteSurroundings): Route {
  const policy = routePolicy(route, config, around.kept)
  const upstreamOf = (id: string): Responder | undefined => {
    const gates = gatesOf(route, config.upstreams.find((upstream) => upstream.id === id)!) // References were checked at load.
    const way = upstreams.get(id)?.forRoute(policy)
    if (way === undefined) return undefined
    return around.before(route, gates.length === 0 ? way : behind(gates.map(around.gate), way))
  }
  const askAgent = (step: Step): Filter => around.askAgent!(around.agents.get(step.agent.id)!.client, {
    ...filterSettings(step),
    chooseUpstream: choiceOf(route, upstreamOf),
    recordLate: around.observeLate,
  })
  const webSocket = webSocketSettings(route)
  const { maxConnectionsPerRoute: max } = config.limits
  return {
    name: route.id,
    filters: [
      ...max === undefined ? [] : [placesFilter(around.lend(`places ${route.id}`, () => new RoutePlaces(around.shares, route.id)), max)],
      ...rulesBefore(route, config, around.lend),
      ...webSocket === undefined ? [] : [tunnelFilter(route.id, webSocket, around)],
      ...planOf(route, config).flatMap((step) => 'agent' in step ? [askAgent(step)] : ownFilter(step, route, around.lend)),
      ...rulesAfter(route),
    ],
    upgrades: webSocket !== undefined,
    responder: responderOf(route, upstreamOf),
    maxBodyBytes: maxBodyBytes(route, config),
  }
}

function responderOf ({ id, upstream, respond }: RouteConfig, upstreamOf: (id: string) => Responder | undefined): Responder {
  if (respond !== undefined) return fixedAnswer(respond)
  return upstream === undefined ? notBuilt(id) : upstreamOf(upstream)! // References were checked at load.
}

function tunnelFilter (route: string, settings: WebSocketSettings, { lend, shares, tunnels }: RouteSurroundings): Filter {
  const places = lend(`tunnels ${route}`, () => new Places(shares, route))
  tunnels.set(route, places)
  return webSocketFilter(settings, places)
}

function webSocketSettings ({ websocket }: RouteConfig): WebSocketSettings | undefined {
  if (websocket?.enabled !== true) return undefined
  const { pingInterval, pingTimeout, idleTimeout, maxMessageSize, maxConnections, maxConnectionsPerIp } = websocket
  return {
    idleMs: idleTimeout,
    pingIntervalMs: pingInterval,
    pingTimeoutMs: pingTimeout,
    maxMessageBytes: maxMessageSize ?? Infinity,
    maxConnections: maxConnections ?? Infinity,
    maxConnectionsPerIp: maxConnectionsPerIp ?? Infinity,
  }
}

/** Takes an agent's choice among the upstreams that the route lists; false for any other, and for a route that has none. */
function choiceOf (route: RouteConfig, upstreamOf: (id: string) => Responder | undefined): (x: Exchange, name: string) => boolean {
  const allowed = new Map([...route.upstream === undefined ? [] : [route.upstream], ...route.otherUpstreams].map((id) => [id, upstreamOf(id)]))
  return (x, name) => {
    const chosen = allowed.get(name)
    if (chosen === undefined) return false
    x.responder = chosen
    return true
  }
}

/** Fields that the operator or an agent itself says only that agent may set; an agent's word counts from its first Describe. */
function guardedBy (agents: readonly AgentConfig[], runtimes: Surroundings['agents']): () => ReadonlySet<string> {
  const declared = agents.flatMap(({ setsHeaders }) => setsHeaders)
  const clients = agents.map(({ id }) => runtimes.get(id)!.client)
  let described: readonly unknown[] = []
  let names = new Set(declared.map(canonicalName))
  return () => {
    if (clients.some(({ describe }, i) => describe !== described[i])) {
      described = clients.map(({ describe }) => describe)
      names = new Set([...declared, ...clients.flatMap(({ describe }) => describe?.setsRequestHeaders ?? [])].map(canonicalName))
    }
    return names
  }
}

function notBuilt (route: string): Responder {
  return { name: '', respond: () => Promise.reject(new Fault('NOT_BUILT', `route ${route}`)) }
}
