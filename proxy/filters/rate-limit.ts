import type { RateKeyPart } from '../../config/sentinel/index.ts'
import { bodyOf, type MaybePromise } from '../pipeline/body.ts'
import type { Exchange, Filter, Quota, Reply } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Rates, RateVerdict } from '../pipeline/rates.ts'
import { compileRateKey } from './rate-key.ts'
import { waitFor } from './wait.ts'

/** What came of requests that a limit saw. */
export interface RateTally {
  /** Those over the limit, whether they were refused or only noted. */
  limited: number
  allowed: number
  /** Of the allowed ones, those that had to wait. */
  delayed: number
}

export interface RateLimitSettings {
  /** In header fields. */
  readonly name: string
  readonly perSecond: number
  readonly burst: number
  readonly key: readonly RateKeyPart[]
  readonly onLimit: 'reject' | 'delay' | 'log-only'
  readonly statusCode: number
  readonly message: string | undefined
  readonly maxDelayMs: number
}

/** Bounds how many requests come in a time (RFC 6585 section 4). */
export function rateLimitFilter (settings: RateLimitSettings, counts: Rates, tally: RateTally): Filter {
  const { name, key, onLimit, maxDelayMs, burst, perSecond } = settings
  const limit = burst + 1
  const windowMs = limit / perSecond * 1000
  const keyOf = compileRateKey(key)
  const maxWaitMs = onLimit === 'delay' ? maxDelayMs : 0
  const tell = tellerOf(name, limit, windowMs)
  const judge = (x: Exchange, verdict: RateVerdict | undefined): MaybePromise<Reply | undefined> => {
    // Nobody knows, and the operator would rather have it pass.
    if (verdict === undefined) return undefined
    const { allowed, remaining, waitMs, resetMs } = verdict
    if (x.quota === undefined || remaining < x.quota.remaining || !allowed) x.quota = { name, remaining, resetMs }
    if (allowed) {
      tally.allowed++
      if (waitMs === 0) return undefined
      tally.delayed++
      return waitFor(x, waitMs)
    }
    tally.limited++
    if (onLimit !== 'log-only') return refusal(x, settings, waitMs)
    x.setAttribute('rate-limit.over', name)
    return undefined
  }
  return {
    name: 'rate-limit',
    onRequest (x) {
      const verdict = counts.take(keyOf(x), performance.now(), maxWaitMs)
      return verdict instanceof Promise ? verdict.then((said) => judge(x, said)) : judge(x, verdict)
    },
    onResponse ({ quota }, { headers }) {
      // Fields of several limits would contradict one another: the strictest speaks.
      if (quota !== undefined && quota.name === name) tell(headers, quota)
      return undefined
    },
  }
}

function refusal (x: Exchange, { name, statusCode, message }: RateLimitSettings, waitMs: number): Reply {
  x.fault = new Fault('RATE_LIMITED', name)
  const reply = faultAnswer(x, 'RATE_LIMITED')
  // gRPC says it in its own way (RFC 6585 has no place there).
  if (reply.status === 429) {
    reply.status = statusCode
    if (message !== undefined) {
      reply.headers.set('Content-Type', 'text/plain; charset=utf-8')
      reply.body = bodyOf(Buffer.from(message))
    }
  }
  reply.headers.set('Retry-After', seconds(waitMs))
  return reply
}

/** draft-ietf-httpapi-ratelimit-headers, and the older fields that most clients know. */
function tellerOf (name: string, limit: number, windowMs: number): (headers: HeaderList, quota: Quota) => void {
  const quoted = `"${name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"`
  const policy = `${quoted};q=${limit};w=${seconds(windowMs)}`
  const most = String(limit)
  return (headers, { remaining, resetMs }) => {
    const reset = seconds(resetMs)
    headers.removeIf(isTold)
    headers.append('RateLimit-Policy', policy)
    headers.append('RateLimit', `${quoted};r=${remaining};t=${reset}`)
    headers.append('X-RateLimit-Limit', most)
    headers.append('X-RateLimit-Remaining', String(remaining))
    headers.append('X-RateLimit-Reset', reset)
  }
}

const told = new Set(['ratelimit-policy', 'ratelimit', 'x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'])
const lengthsTold = new Set([...told].map(({ length }) => length))

/** Of what an upstream says of limits of its own; nearly every other name is told apart by its length. */
function isTold (name: string): boolean {
  return lengthsTold.has(name.length) && told.has(name.toLowerCase())
}

/** Whole ones, at least one: nobody is told to come back at once. */
function seconds (ms: number): string {
  // A sum of fractions may be a hair above what it should be.
  return String(Math.max(1, Math.ceil(ms / 1000 - 1e-6)))
}
