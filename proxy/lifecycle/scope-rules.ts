import { limitsIn, scopesAround, leadsTo, type ListenerConfig, type LimitsConfig, type RouteConfig, type Scope, type SentinelConfig } from '../../config/sentinel/index.ts'
import type { MetricTable } from '../observe/metrics-table.ts'
import type { MaybePromise } from '../pipeline/body.ts'
import { clientKey } from '../pipeline/client-key.ts'
import type { Exchange, Filter, Route } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Share, Shares } from '../pipeline/shares.ts'
import type { Lend } from './leases.ts'
import { perSecond, type RateParts } from './rate-limits.ts'
import { placesFilter, RoutePlaces } from './route-places.ts'

/** The configuration as what stands in a scope sees it: with the limits that count there. */
export function seenFrom (scope: string, config: SentinelConfig): SentinelConfig {
  const limits = limitsIn(scope, config)
  return limits === config.limits ? config : { ...config, limits }
}

/** Where a route stands, for those who tell of it; nothing for one outside of namespaces. */
export function placeOfRoute ({ scope }: Pick<RouteConfig, 'scope'>): Pick<Route, 'namespace' | 'service'> {
  if (scope === '') return {}
  const [namespace, service] = scope.split(':')
  return { namespace, service }
}

/** By which names somebody in a scope may mean each of some things, the nearest first: by full names, and by those that the file may use there. */
export function namesOf (ids: readonly string[], scope: string): Array<[name: string, id: string]> {
  const found = new Map(ids.map((id): [string, string] => [id, id]))
  for (let around = scope; around !== ''; around = around.slice(0, Math.max(0, around.lastIndexOf(':')))) {
    for (const id of ids) {
      const short = id.startsWith(`${around}:`) ? id.slice(around.length + 1) : id
      if (!found.has(short)) found.set(short, id)
    }
  }
  return [...found]
}

interface Surroundings extends RateParts {
  readonly shares: Shares
  readonly metrics: { readonly table: Pick<MetricTable, 'scopedActive'> }
}

/** What namespace and service say of the requests of a route, before the route itself does: what is refused by the one costs the other nothing. */
export function scopeRules ({ id, scope }: Pick<RouteConfig, 'id' | 'scope'>, config: SentinelConfig, around: Surroundings): Filter[] {
  if (scope === '') return []
  const scopes = scopesAround(scope, config)
  return [activeFilter(scope, around.metrics.table), ...headRules(scopes, limitsIn(scope, config)), ...scopes.flatMap((one) => rulesOf(one, id, around))]
}

/** First, so that it sees the end of whatever it has seen begin. */
function activeFilter (scope: string, { scopedActive }: Pick<MetricTable, 'scopedActive'>): Filter {
  const active = scopedActive.cell(...labelsOf(scope))
  return {
    name: 'active-requests',
    onRequest (): undefined { active.add() },
    onDone: () => active.add(-1),
  }
}

/** Namespace and service, as metrics tell them. */
export function labelsOf (scope: string): [namespace: string, service: string] {
  const [namespace = '', service = ''] = scope.split(':')
  return [namespace, service]
}

function rulesOf ({ id, limits }: Scope, route: string, around: Surroundings): Filter[] {
  const { lend, shares } = around
  if (limits === undefined) return []
  const { maxConnectionsPerClient, maxInFlightRequests, maxRequestsPerSecondGlobal, maxRequestsPerSecondPerClient } = limits
  return [
    ...maxRequestsPerSecondGlobal === undefined ? [] : [perSecond(id, maxRequestsPerSecondGlobal, 'all', route, around)],
    ...maxRequestsPerSecondPerClient === undefined ? [] : [perSecond(id, maxRequestsPerSecondPerClient, 'client', route, around)],
    ...maxConnectionsPerClient === undefined ? [] : [clientPlaces(id, maxConnectionsPerClient, lend, shares)],
    ...maxInFlightRequests === undefined ? [] : [inFlightFilter(id, maxInFlightRequests, shares)],
  ]
}

/** Connections of one client with requests on routes of the scope: counted as those of a route are, by client. */
function clientPlaces (scope: string, max: number, lend: Lend, shares: Shares): Filter {
  const places = lend(`client places of scope ${scope}`, () => new RoutePlaces(shares, (x) => `scope ${scope} client ${clientKey(x.clientIp)}`))
  return { ...placesFilter(places, max), name: 'max-connections-per-client' }
}

/** Requests of the scope in all processes that serve. What is over it does not wait: a tenant's queue would keep memory that is everybody's. */
function inFlightFilter (scope: string, max: number, shares: Shares): Filter {
  const taken = new WeakMap<Exchange, Share>()
  const judge = (x: Exchange, share: Share, got: boolean): undefined => {
    if (!got) throw new Fault('OVERLOADED', `${max} requests of '${scope}' are being served`)
    taken.set(x, share)
  }
  return {
    name: 'max-in-flight-requests',
    onRequest (x): MaybePromise<undefined> {
      const share = shares.passing(`in flight in ${scope}`)
      const got = share.take(max)
      return got instanceof Promise ? got.then((gotOne) => judge(x, share, gotOne)) : judge(x, share, got)
    },
    onDone: (x) => taken.get(x)?.give(),
  }
}

const headLimits = ['maxHeaderSize', 'maxHeaderCount', 'maxHeaderNameSize', 'maxHeaderValueSize'] as const

/** Where a listener leads to several scopes, it reads what the most generous of them allows: the others look once more. */
function headRules (around: readonly Scope[], limits: LimitsConfig): Filter[] {
  if (!around.some((scope) => headLimits.some((name) => scope.limits?.[name] !== undefined))) return []
  const { maxHeaderSize, maxHeaderCount, maxHeaderNameSize, maxHeaderValueSize = Infinity } = limits
  return [{
    name: 'header-limits',
    onRequest ({ request: { method, rawPath, query, headers } }): undefined {
      // The request line, and four bytes beside name and value of each field.
      let bytes = method.length + rawPath.length + query.length + 12
      let count = 0
      for (const [name, value] of headers) {
        count++
        bytes += name.length + value.length + 4
        if (name.length > maxHeaderNameSize || value.length > maxHeaderValueSize) throw new Fault('HEAD_TOO_LARGE', 'the name or the value of a field is longer than allowed here')
      }
      if (count > maxHeaderCount) throw new Fault('HEAD_TOO_LARGE', `${count} field lines`)
      if (bytes > maxHeaderSize) throw new Fault('HEAD_TOO_LARGE', `more than ${maxHeaderSize} bytes of head`)
    },
  }]
}

/** The limits that a listener reads requests with: the most generous of those of the scopes it leads to. */
export function limitsOfListener (listener: ListenerConfig, config: SentinelConfig): LimitsConfig {
  const { namespace = '' } = listener
  const own = limitsIn(namespace, config)
  if (namespace === '') return own
  const all = [own, ...config.scopes.filter((scope) => leadsTo(listener, { scope: scope.id })).map(({ id }) => limitsIn(id, config))]
  const most = (of: (limits: LimitsConfig) => number | undefined): number => Math.max(...all.map((limits) => of(limits) ?? Infinity))
  const maxHeaderValueSize = most((limits) => limits.maxHeaderValueSize)
  return {
    ...own,
    maxHeaderSize: most((limits) => limits.maxHeaderSize),
    maxHeaderCount: most((limits) => limits.maxHeaderCount),
    maxHeaderNameSize: most((limits) => limits.maxHeaderNameSize),
    maxHeaderValueSize: maxHeaderValueSize === Infinity ? undefined : maxHeaderValueSize,
  }
}
