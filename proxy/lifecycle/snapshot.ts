import type { AgentConfig, ListenerConfig, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { peerMatcher } from '../../config/schema/address.ts'
import type { Cache } from '../cache/index.ts'
import type { agentFilter } from '../decisions/index.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Exchange, Filter, Responder, Route } from '../pipeline/exchange.ts'
import { canonicalName } from '../pipeline/headers.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { Shares } from '../pipeline/shares.ts'
import type { Site } from '../pipeline/serve.ts'
import { compileRouter, type Router } from '../routing/router.ts'
import type { Admission } from '../state/index.ts'
import {
  createTargetStore, createUpstream, type ConnectingSettings, type Gate, type GateSettings, type ReplayRoom, type TargetSettings, type Upstream,
} from '../upstreams/index.ts'
import { Places } from '../websocket/index.ts'
import type { AgentRuntime } from './agent-runtime.ts'
import { discoveryKey } from './discoveries.ts'
import { compileRoute } from './compile-route.ts'
import { canonicalKey, type Leases, type Lend } from './leases.ts'
import { fieldsOfFilters } from './more-needed.ts'
import type { Parts } from './parts.ts'
import type { MainSide } from './seam.ts'
import type { LimitInUse, RateParts } from './rate-limits.ts'
import { keepsAnswers, openCache, routeCacheSettings } from './route-cache.ts'
import { httpsPort, redirectRoute } from './redirect-https.ts'
import { agentsBehind, defaultRouteOf, filtersBehind, receptionOf, routerEntries } from './route-plan.ts'
import { errorPagesOf } from './route-services.ts'
import { seenFrom } from './scope-rules.ts'
import { upstreamSettings, type Among, type UpstreamParts } from './upstream-settings.ts'

/** What a snapshot takes from the process around it. */
export interface Surroundings {
  readonly leases: Leases
  readonly agents: ReadonlyMap<string, AgentRuntime>
  /** Who goes by this name in the configuration that is used now, which may be a later one. */
  readonly agentNow: (id: string) => AgentRuntime | undefined
  readonly parts: Parts
  readonly metrics: Metrics
  readonly admission: Pick<Admission, 'enter' | 'release'>
  readonly shares: Shares
  readonly rates: RateParts['rates']
  readonly observe: Site['observe']
  /** There where requests are traced. */
  readonly traces?: { readonly begin: (x: Exchange) => void, readonly step: (filter: Filter, name?: string) => Filter }
  readonly observeLate: Parameters<typeof agentFilter>[1]['recordLate']
  readonly gate: (settings: GateSettings) => Gate
  /** The answers that all processes keep, for those who are asked about them. */
  readonly answers: KeptAnswers
  readonly page: MainSide['page']
  readonly log: Log
  /** There are other workers. */
  readonly isShared: boolean
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
  /** What limits do, each on each route. */
  readonly limits: ReadonlyMap<string, LimitInUse>
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
      const parts = upstreamSettings(upstream, seenFrom(upstream.scope, config), around)
      const key = discoveryKey(upstream)
      const leased = leaseUpstream(parts, key, around, held)
      if (key !== undefined) replaced.set(key, (targets) => leased.set.replace([...parts.changeable.targets, ...targets]))
      return [upstream.id, leased]
    }))
    const lend: Lend = (key, make, end) => {
      const lease = around.leases.use(key, make, (value) => Promise.resolve(end?.(value)))
      held.push(() => lease.release())
      return lease.value
    }
    const tunnels = new Map<string, Places>()
    const limits = new Map<string, LimitInUse>()
    const kept = lend<ReplayRoom>('bodies kept', () => ({ used: 0 }))
    const cache = openCache(config, { ...around, lend })
    const guarded = guardedBy(config.agents, fieldsOfFilters(config.filters), around.agents)
    const keeping = (route: RouteConfig, responder: Responder): Responder => (
      cache === undefined || !keepsAnswers(route, config) ? responder : cache.before(responder, routeCacheSettings(route, config, guarded), around.answers)
    )
    const shared = { ...around, openStore: around.parts.openStore, lend, kept, tunnels, limits, keeping }
    const routes = new Map(config.routes.filter(({ enabled }) => enabled).map((route): [string, Route] => (
      [route.id, compileRoute(route, seenFrom(route.scope, config), upstreams, shared)]
    )))
    const users = countUsers()
    const siteOf = served(config, routes, around.agents)
    const sites = new Map(config.listeners.map((listener): [string, Site] => {
      const { router, guardedHeaders } = siteOf(listener)
      const otherwise = routes.get(defaultRouteOf(listener, config.routes)?.id ?? '')
      return [listener.id, {
        isTrusted: peerMatcher(listener.trustedProxies),
        guardedHeaders,
        match: traced(around.traces?.begin, matchOf(listener, router, otherwise, httpsPort(config.listeners, listener))),
        faultPages: errorPagesOf(undefined, config, around.parts),
        ...admissionOf(around.admission, users),
        observe: around.observe,
      }]
    }))
    return {
      config,
      siteOf: (listener) => sites.get(listener),
      tunnels,
      limits,
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

interface Served {
  readonly router: Pick<Router<Route>, 'match'>
  readonly guardedHeaders: Site['guardedHeaders']
}

/** What listeners of the same namespace have together: their routes, and the header fields that agents of these set. */
function served (config: SentinelConfig, routes: ReadonlyMap<string, Route>, runtimes: Surroundings['agents']): (listener: ListenerConfig) => Served {
  const known = new Map<string | undefined, Served>()
  return (listener) => {
    let site = known.get(listener.namespace)
    if (site === undefined) {
      const router = compileRouter(routerEntries(listener, config, ({ id }) => routes.get(id)!)) // Every route that is on was compiled.
      site = { router, guardedHeaders: guardedBy(agentsBehind(listener, config), fieldsOfFilters(filtersBehind(listener, config)), runtimes) }
      known.set(listener.namespace, site)
    }
    return site
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

/** Connections of HTTP/1.1 have no time-outs of their own: exchanges bring theirs. */
function sharedBy (connecting: ConnectingSettings): Partial<ConnectingSettings> {
  const { readTimeoutMs: _read, writeTimeoutMs: _write, ...lasting } = connecting
  return connecting.http2 === undefined ? lasting : connecting
}

function matchOf (listener: ListenerConfig, router: Pick<Router<Route>, 'match'>, otherwise: Route | undefined, port: number): Site['match'] {
  const routes: Site['match'] = (x) => router.match(x.request) ?? otherwise
  // What every request would ask again is decided once.
  if (!listener.redirectHttps) return routes
  const redirect = redirectRoute(port)
  return (x) => receptionOf(listener, x) === 'redirect' ? redirect : routes(x)
}

/** By then the head is what goes on, and nobody has been asked yet. */
function traced (begin: ((x: Exchange) => void) | undefined, match: Site['match']): Site['match'] {
  return begin === undefined ? match : (x) => {
    begin(x)
    return match(x)
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

/** Fields that the operator or an agent itself says only that agent may set; an agent's word counts from its first Describe. */
function guardedBy (agents: readonly AgentConfig[], ofFilters: readonly string[], runtimes: Surroundings['agents']): () => ReadonlySet<string> {
  const declared = [...ofFilters, ...agents.flatMap(({ setsHeaders }) => setsHeaders)]
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
