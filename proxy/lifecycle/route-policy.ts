import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { BudgetSettings, HedgePolicy, ReplayRoom, RetryPolicy, RetryReason, RoutePolicy, Timeouts } from '../upstreams/index.ts'
import { planOf } from './route-plan.ts'

const defaultBudget: BudgetSettings = { percent: 20, minPerSecond: 10 }

/** A route that only hedges tries as often as one without a policy: another target when one could not be reached. */
const withoutRetries: RetryPolicy = {
  maxAttempts: undefined, on: new Set<RetryReason>(['connect-failure']), statuses: new Set(), backOff: { firstMs: 100, mostMs: 2_000 },
  attemptTimeoutMs: Infinity, nonIdempotent: false,
}

/** What a route says of the way of its exchanges to its upstream. `room`: what is kept of bodies, of all routes together. */
export function routePolicy (route: RouteConfig, config: SentinelConfig, room: ReplayRoom): RoutePolicy {
  const { retryPolicy } = route
  const { maxBodyBuffer, maxBodyBufferTotal } = config.limits
  const hedge = hedgeOf(route)
  const timeouts = timeoutsOf(route, config)
  const tries = retryPolicy === undefined && hedge === undefined ? undefined : {
    retry: retryPolicy === undefined ? withoutRetries : retryOf(retryPolicy),
    hedge,
    budget: retryPolicy?.budget ?? defaultBudget,
    replay: { maxBytes: maxBodyBuffer, maxBytesOfAll: maxBodyBufferTotal, room },
  }
  return { ...timeouts === undefined ? {} : { timeouts }, ...tries === undefined ? {} : { tries } }
}

/** What the route itself says comes before what its filters say, and later ones before earlier ones. */
function timeoutsOf (route: RouteConfig, config: SentinelConfig): Partial<Timeouts> | undefined {
  const said = planOf(route, config).flatMap((step) => 'agent' in step || 'stage' in step || step.type !== 'timeout' ? [] : [step])
    .map(({ connectTimeout: connectTimeoutMs, upstreamTimeout: readTimeoutMs, requestTimeout: requestTimeoutMs }) => (
      written({ connectTimeoutMs, readTimeoutMs, requestTimeoutMs })
    ))
  if (route.timeouts !== undefined) {
    const { connect, firstByte, read, write, request } = route.timeouts
    said.push(written({ connectTimeoutMs: connect, firstByteTimeoutMs: firstByte, readTimeoutMs: read, writeTimeoutMs: write, requestTimeoutMs: request }))
  }
  return said.length === 0 ? undefined : Object.assign({}, ...said)
}

function written (timeouts: { readonly [K in keyof Timeouts]?: number | undefined }): Partial<Timeouts> {
  return Object.fromEntries(Object.entries(timeouts).filter(([, ms]) => ms !== undefined))
}

function hedgeOf ({ hedge }: RouteConfig): HedgePolicy | undefined {
  if (hedge?.enabled !== true) return undefined
  return { delayMs: hedge.delay, maxAttempts: hedge.maxAttempts }
}

function retryOf (policy: NonNullable<RouteConfig['retryPolicy']>): RetryPolicy {
  const { maxAttempts, retryOn, retryableStatusCodes, backoff, maxBackoff, perAttemptTimeout, retryNonIdempotent } = policy
  const written: ReadonlyArray<number | string> = retryOn.length > 0 ? retryOn : perAttemptTimeout === undefined ? ['reset'] : ['reset', 'timeout']
  return {
    maxAttempts,
    on: new Set<RetryReason>(['connect-failure', ...written.flatMap((word) => reasons[word] ?? [])]),
    statuses: new Set([...retryableStatusCodes, ...written.flatMap((word) => typeof word === 'number' ? [word] : statuses[word] ?? [])]),
    backOff: { firstMs: backoff, mostMs: maxBackoff },
    attemptTimeoutMs: perAttemptTimeout ?? Infinity,
    nonIdempotent: retryNonIdempotent,
  }
}

/** What the words of `retry-on` stand for. A client cannot tell an answer of 502 from none, nor can those who wait for "5xx". */
const reasons: Readonly<Record<string, readonly RetryReason[]>> = {
  'reset': ['reset'], 'timeout': ['timeout'], 'gateway-error': ['reset', 'timeout'], '5xx': ['reset', 'timeout'], 'grpc-unavailable': ['grpc-unavailable'],
}

const statuses: Readonly<Record<string, readonly number[]>> = {
  'gateway-error': [502, 503, 504], '5xx': Array.from({ length: 100 }, (_, i) => 500 + i),
}
