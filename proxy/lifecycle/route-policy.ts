import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { BudgetSettings, HedgePolicy, ReplayRoom, RetryPolicy, RetryReason, RoutePolicy, Timeouts } from '../upstreams/index.ts'

const defaultBudget: BudgetSettings = { percent: 20, minPerSecond: 10 }

/** A route that only hedges tries as often as one without a policy: another target when one could not be reached. */
const withoutRetries: RetryPolicy = {
  maxAttempts: undefined, on: new Set<RetryReason>(['connect-failure']), statuses: new Set(), backOff: { firstMs: 100, mostMs: 2_000 },
  attemptTimeoutMs: Infinity, nonIdempotent: false,
}

/** What a route says of the way of its exchanges to its upstream. `room`: what is kept of bodies, of all routes together. */
export function routePolicy (route: RouteConfig, { maxBodyBuffer, maxBodyBufferTotal }: SentinelConfig['limits'], room: ReplayRoom): RoutePolicy {
  const { retryPolicy, timeouts } = route
  const hedge = hedgeOf(route)
  const tries = retryPolicy === undefined && hedge === undefined ? undefined : {
    retry: retryPolicy === undefined ? withoutRetries : retryOf(retryPolicy),
    hedge,
    budget: retryPolicy?.budget ?? defaultBudget,
    replay: { maxBytes: maxBodyBuffer, maxBytesOfAll: maxBodyBufferTotal, room },
  }
  return { ...timeouts === undefined ? {} : { timeouts: timeoutsOf(timeouts) }, ...tries === undefined ? {} : { tries } }
}

function timeoutsOf ({ connect, firstByte, read, write, request }: NonNullable<RouteConfig['timeouts']>): Partial<Timeouts> {
  return {
    ...connect === undefined ? {} : { connectTimeoutMs: connect },
    ...firstByte === undefined ? {} : { firstByteTimeoutMs: firstByte },
    ...read === undefined ? {} : { readTimeoutMs: read },
    ...write === undefined ? {} : { writeTimeoutMs: write },
    ...request === undefined ? {} : { requestTimeoutMs: request },
  }
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
