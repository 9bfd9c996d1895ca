import type { RateKeyPart, RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import { rateLimitFilter, type RateCounts, type RateLimitSettings } from '../filters/index.ts'
import type { Filter } from '../pipeline/exchange.ts'
import { LocalRates } from '../state/index.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { OwnFilterConfig } from './route-plan.ts'

type Given = Pick<RateLimitSettings, 'name' | 'perSecond' | 'burst'> & Partial<RateLimitSettings> & { readonly key: readonly RateKeyPart[], readonly maxKeys?: number }

const defaultMaxKeys = 100_000

const clientIp: readonly RateKeyPart[] = [{ kind: 'client-ip', name: undefined }]

/** `scope`: limits of one name that count together have one. */
function limit (scope: string, { maxKeys = defaultMaxKeys, ...given }: Given, lend: Lend): Filter {
  const settings: RateLimitSettings = { onLimit: 'reject', statusCode: 429, message: undefined, maxDelayMs: 0, ...given }
  const { perSecond, burst, key } = settings
  const counts: RateCounts = lend(canonicalKey(`rate ${scope}`, { perSecond, burst, key, maxKeys }), () => new LocalRates({ perSecond, burst, maxKeys }))
  return rateLimitFilter(settings, counts)
}

/** A limit on requests in a second, of everybody together or of each client. A second's worth may come at once. */
export function perSecond (scope: string, name: string, most: number, whose: 'all' | 'client', lend: Lend): Filter {
  return limit(scope, { name, perSecond: most, burst: most - 1, key: whose === 'all' ? [] : clientIp }, lend)
}

/** A filter that several routes name counts for all of them. */
export function rateFilter (filter: Extract<OwnFilterConfig, { readonly type: 'rate-limit' }>, lend: Lend): Filter {
  const { id, maxRps, burst, key, onLimit, statusCode, message, maxDelay, maxKeys } = filter
  return limit(`filter ${id}`, { name: id, perSecond: maxRps, burst, key, onLimit, statusCode, message, maxDelayMs: maxDelay, maxKeys }, lend)
}

/** What bounds a route's requests before anybody is asked: limits of the proxy as a whole, then those of the route. */
export function rateRules ({ id, rateLimit, globalRateLimit, filters }: RouteConfig, config: SentinelConfig, lend: Lend): Filter[] {
  const { limits: { maxRequestsPerSecondGlobal: all, maxRequestsPerSecondPerClient: each, maxRequestsPerSecondPerRoute: here }, rateLimits } = config
  const { defaultRps, defaultBurst = 0, key, global } = rateLimits
  const own = rateLimit !== undefined || filters.some((name) => config.filters.some((filter) => filter.id === name && filter.type === 'rate-limit'))
  // A second's worth may come at once: they are said for seconds.
  const second = (perSecond: number): Pick<Given, 'perSecond' | 'burst'> => ({ perSecond, burst: perSecond - 1 })
  return [
    ...all === undefined ? [] : [limit('all', { name: 'all', ...second(all), key: [] }, lend)],
    ...global === undefined ? [] : [limit('global', { name: 'global', perSecond: global.maxRps, burst: global.burst, key: global.key ?? [] }, lend)],
    ...each === undefined ? [] : [limit('client', { name: 'client', ...second(each), key: clientIp }, lend)],
    ...here === undefined ? [] : [limit(`each route ${id}`, { name: 'route', ...second(here), key: [] }, lend)],
    ...globalRateLimit === undefined ? [] : [limit(`all of ${id}`, { name: `${id}-all`, ...policy(globalRateLimit) }, lend)],
    ...rateLimit !== undefined ? [limit(`of ${id}`, { name: id, ...policy(rateLimit) }, lend)] : [],
    ...defaultRps === undefined || own ? [] : [limit(`default of ${id}`, { name: id, perSecond: defaultRps, burst: defaultBurst, key }, lend)],
  ]
}

function policy ({ requestsPerSecond, burst, key }: NonNullable<RouteConfig['rateLimit']>): Pick<Given, 'perSecond' | 'burst' | 'key'> {
  return { perSecond: requestsPerSecond, burst, key }
}
