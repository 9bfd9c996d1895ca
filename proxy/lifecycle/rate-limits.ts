import type { ListenerConfig, RateKeyPart, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { rateLimitFilter, type RateLimitSettings, type RateTally } from '../filters/index.ts'
import type { Filter } from '../pipeline/exchange.ts'
import type { RateLedgers, Rates } from '../pipeline/rates.ts'
import { StoredRates } from '../state/index.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { BackendConfig, OpenStore } from './rate-stores.ts'
import type { OwnFilterConfig } from './route-plan.ts'

/** What limits are made of. */
export interface RateParts {
  readonly lend: Lend
  /** Counts of this proxy. */
  readonly rates: RateLedgers
  /** There when counts are kept outside. */
  readonly openStore: OpenStore | undefined
  /** Everything that is counted on a route, for whoever tells it. */
  readonly limits: Map<string, LimitInUse>
}

/** One limit on one route. */
export interface LimitInUse {
  /** Of what: "filter", "route", "listener" … and which of them. */
  readonly scope: string
  readonly name: string
  readonly route: string
  readonly tally: RateTally
  readonly counts: Rates
}

type OverLimit = Pick<NonNullable<RouteConfig['rateLimit']>, 'onLimit' | 'statusCode' | 'message' | 'maxDelay' | 'maxKeys' | 'backend'>

interface Given extends Partial<OverLimit> {
  /** Of what it is a limit, and which: those of the same two count together. */
  readonly scope: string
  readonly id: string
  /** What clients are told; the id without it. */
  readonly name?: string
  readonly perSecond: number
  readonly burst: number
  readonly key: readonly RateKeyPart[]
}

const defaultMaxKeys = 100_000

const clientIp: readonly RateKeyPart[] = [{ kind: 'client-ip', name: undefined }]

function limit (given: Given, route: string, parts: RateParts): Filter {
  const { scope, id, name = id, perSecond, burst, key, onLimit = 'reject', statusCode = 429, message, maxDelay = 0 } = given
  const settings: RateLimitSettings = { name, perSecond, burst, key, onLimit, statusCode, message, maxDelayMs: maxDelay }
  const counts = countsOf(given, parts)
  const tally = parts.lend(`rate tally ${scope} ${id} ${route}`, () => ({ limited: 0, allowed: 0, delayed: 0 }))
  parts.limits.set(`${scope} ${id} ${route}`, { scope, name: id, route, tally, counts })
  return rateLimitFilter(settings, counts, tally)
}

function countsOf ({ scope, id, perSecond, burst, key, maxKeys = defaultMaxKeys, backend }: Given, { lend, rates, openStore }: RateParts): Rates {
  const rate = { perSecond, burst, maxKeys }
  const whose = canonicalKey(`rate ${scope} ${id}`, { ...rate, key })
  const own = (): Rates => lend(whose, () => rates.open(whose, rate, [scope, id]), async (open) => open.close?.())
  if (backend === undefined || backend.type === 'local') return own()
  const { onFailure, keyPrefix } = backend
  const otherwise = onFailure === 'local' ? own() : onFailure
  const outside: BackendConfig = { ...backend, keyPrefix: '', onFailure: 'local' }
  const store = lend(canonicalKey('rate store', outside), () => openStore!(outside), (open) => open.close()) // Loaded where a limit has one.
  const prefix = `${keyPrefix}${scope}:${id}:${key.map(({ kind, name }) => name === undefined ? kind : `${kind}=${name}`).join('+')}:`
  return lend(canonicalKey(whose, backend), () => new StoredRates(store, { ...rate, prefix, otherwise }))
}

/** A limit of a namespace or service on requests in a second, of everybody together or of each client. A second's worth may come at once. */
export function perSecond (scope: string, most: number, whose: 'all' | 'client', route: string, parts: RateParts): Filter {
  const who = whose === 'all' ? { id: scope, key: [] } : { id: `${scope}-client`, key: clientIp }
  return limit({ scope: 'scope', ...who, perSecond: most, burst: most - 1 }, route, parts)
}

/** A filter that several routes name counts for all of them. */
export function rateFilter (filter: Extract<OwnFilterConfig, { readonly type: 'rate-limit' }>, route: string, parts: RateParts): Filter {
  const { maxRps: perSecond, ...given } = filter
  return limit({ ...given, scope: 'filter', perSecond }, route, parts)
}

/**
 * What bounds a route's requests: limits of the proxy as a whole, of the listener, then those of the route. Before anybody is asked, but for those
 * that count by what an agent says, or by a token that one may have to check first.
 */
export function rateRules (route: RouteConfig, config: SentinelConfig, parts: RateParts): { readonly before: Filter[], readonly after: Filter[] } {
  const rules = [...wholeRules(route, config), ...routeRules(route, config)]
  const listeners = listenerRules(config.listeners)
  const needsAgents = ({ key }: Given): boolean => key.some(({ kind }) => kind === 'attribute' || kind === 'jwt')
  const made = (list: readonly Given[]): Filter[] => list.map((rule) => limit(rule, route.id, parts))
  const ofListeners = (list: typeof listeners): Filter[] => {
    const filters = new Map(list.map(({ listener, rule }) => [listener, limit(rule, route.id, parts)]))
    return filters.size === 0 ? [] : [perListener(filters)]
  }
  return {
    before: [...ofListeners(listeners.filter(({ rule }) => !needsAgents(rule))), ...made(rules.filter((rule) => !needsAgents(rule)))],
    after: [...ofListeners(listeners.filter(({ rule }) => needsAgents(rule))), ...made(rules.filter(needsAgents))],
  }
}

function wholeRules ({ id }: RouteConfig, { limits, rateLimits: { global, ...over } }: SentinelConfig): Given[] {
  const { maxRequestsPerSecondGlobal: all, maxRequestsPerSecondPerClient: each, maxRequestsPerSecondPerRoute: here } = limits
  // A second's worth may come at once: they are said for seconds.
  const second = (perSecond: number): Pick<Given, 'perSecond' | 'burst'> => ({ perSecond, burst: perSecond - 1 })
  return [
    ...all === undefined ? [] : [{ scope: 'limits', id: 'all', ...second(all), key: [] }],
    ...global === undefined ? [] : [{ ...over, scope: 'global', id: 'global', perSecond: global.maxRps, burst: global.burst, key: global.key ?? [] }],
    ...each === undefined ? [] : [{ scope: 'limits', id: 'client', ...second(each), key: clientIp }],
    ...here === undefined ? [] : [{ scope: 'limits', id: `route ${id}`, name: 'route', ...second(here), key: [] }],
  ]
}

function routeRules ({ id, rateLimit, globalRateLimit, filters }: RouteConfig, config: SentinelConfig): Given[] {
  const { defaultRps, defaultBurst = 0, global: _global, ...over } = config.rateLimits
  const own = rateLimit !== undefined || filters.some((name) => config.filters.some((filter) => filter.id === name && filter.type === 'rate-limit'))
  return [
    ...globalRateLimit === undefined ? [] : [{ ...globalRateLimit, scope: 'route-total', id, name: `${id}-all`, perSecond: globalRateLimit.requestsPerSecond }],
    ...rateLimit === undefined ? [] : [{ ...rateLimit, scope: 'route', id, perSecond: rateLimit.requestsPerSecond }],
    ...defaultRps === undefined || own ? [] : [{ ...over, scope: 'default', id, perSecond: defaultRps, burst: defaultBurst }],
  ]
}

function listenerRules (listeners: readonly ListenerConfig[]): Array<{ readonly listener: string, readonly rule: Given }> {
  return listeners.flatMap(({ id, rateLimit: own }) => {
    return own === undefined ? [] : [{ listener: id, rule: { ...own, scope: 'listener', id, perSecond: own.requestsPerSecond } }]
  })
}

/** Routes serve all listeners: which limit counts is known when a request has come. */
function perListener (filters: ReadonlyMap<string, Filter>): Filter {
  return {
    name: 'rate-limit',
    onRequest: (x) => filters.get(x.listener)?.onRequest?.(x),
    onResponse: (x, reply) => filters.get(x.listener)?.onResponse?.(x, reply),
  }
}
