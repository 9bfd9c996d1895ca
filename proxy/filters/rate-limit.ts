import type { RateKeyPart } from '../../config/sentinel/index.ts'
import { bodyOf } from '../pipeline/body.ts'
import type { Exchange, Filter, Quota, Reply } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { compileRateKey } from './rate-key.ts'

/** Counts, wherever they are kept. Nothing here knows how. */
export interface RateCounts {
  take (key: string, nowMs: number, maxWaitMs: number): {
    readonly allowed: boolean
    readonly remaining: number
    readonly waitMs: number
    readonly resetMs: number
  }
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
export function rateLimitFilter (settings: RateLimitSettings, counts: RateCounts): Filter {
  const { name, key, onLimit, maxDelayMs, burst, perSecond } = settings
  const limit = burst + 1
  const windowMs = limit / perSecond * 1000
  const keyOf = compileRateKey(key)
  const maxWaitMs = onLimit === 'delay' ? maxDelayMs : 0
  return {
    name: 'rate-limit',
    onRequest (x) {
      const { allowed, remaining, waitMs, resetMs } = counts.take(keyOf(x), performance.now(), maxWaitMs)
      if (x.quota === undefined || remaining < x.quota.remaining || !allowed) x.quota = { name, limit, remaining, windowMs, resetMs }
      if (allowed) return waitMs === 0 ? undefined : wait(x, waitMs)
      if (onLimit !== 'log-only') return refusal(x, settings, waitMs)
      x.setAttribute('rate-limit.over', name)
      return undefined
    },
    onResponse ({ quota }, { headers }) {
      // Fields of several limits would contradict one another: the strictest speaks.
      if (quota !== undefined && quota.name === name) tell(headers, quota)
      return undefined
    },
  }
}

/** Until its turn, or until nobody waits for it any more. */
function wait (x: Exchange, ms: number): Promise<undefined> {
  const { ending } = x
  return new Promise((resolve, reject) => {
    if (ending.reason !== undefined) return reject(ending.reason)
    const listener = { onExchangeEnd (reason: Fault): void {
      clearTimeout(timer)
      reject(reason)
    } }
    const timer = setTimeout(() => {
      ending.ignore(listener)
      resolve(undefined)
    }, ms)
    ending.listen(listener)
  })
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
function tell (headers: HeaderList, { name, limit, remaining, windowMs, resetMs }: Quota): void {
  const quoted = `"${name.replace(/[^\x20-\x7e]|["\\]/g, '_')}"`
  headers.set('RateLimit-Policy', `${quoted};q=${limit};w=${seconds(windowMs)}`)
  headers.set('RateLimit', `${quoted};r=${remaining};t=${seconds(resetMs)}`)
  headers.set('X-RateLimit-Limit', String(limit))
  headers.set('X-RateLimit-Remaining', String(remaining))
  headers.set('X-RateLimit-Reset', seconds(resetMs))
}

/** Whole ones, at least one: nobody is told to come back at once. */
function seconds (ms: number): string {
  // A sum of fractions may be a hair above what it should be.
  return String(Math.max(1, Math.ceil(ms / 1000 - 1e-6)))
}
