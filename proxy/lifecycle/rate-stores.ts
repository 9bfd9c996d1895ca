import { readFileSync } from 'node:fs'
import { readStoreUrl, type SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import { WatchedStore, type RateStore } from '../state/index.ts'

export type BackendConfig = Extract<SentinelConfig['filters'][number], { readonly type: 'rate-limit' }>['backend']

export type OpenStore = (backend: BackendConfig) => RateStore

const standardUrls = { redis: 'redis://127.0.0.1:6379', memcached: 'memcache://127.0.0.1:11211' } as const

/** Loads what speaks to the stores that a configuration names; `undefined` where it names none. */
export async function loadRateStores (config: SentinelConfig, log: Log): Promise<OpenStore | undefined> {
  const types = new Set(backendsIn(config).map(({ type }) => type))
  const redis = types.has('redis') ? await import('../state/redis-store.ts') : undefined
  const memcached = types.has('memcached') ? await import('../state/memcached-store.ts') : undefined
  if (redis === undefined && memcached === undefined) return undefined
  const speak = ({ type, url, poolSize, caCert, ttl }: BackendConfig): RateStore => {
    const kind = type === 'memcached' ? type : 'redis'
    const address = readStoreUrl(url ?? standardUrls[kind], kind)
    if ('wrong' in address) throw new Error(`the url of a store ${address.wrong}`)
    if (kind === 'memcached') return new memcached!.MemcachedStore({ hosts: address.hosts, poolSize, ttlMs: ttl })
    return new redis!.RedisStore({ address, poolSize, ca: caCert === undefined ? undefined : readFileSync(caCert, 'utf8') })
  }
  return (backend) => {
    const store = speak(backend)
    const changed = (works: boolean, message: string): void => {
      if (works) log.info(message, { event: 'rate-store-healed' })
      else log.error(message, { event: 'rate-store-failed', code: 'LIMIT_UNKNOWN' })
    }
    return new WatchedStore(store, { timeoutMs: backend.timeout, changed })
  }
}

function backendsIn ({ filters, routes, listeners, rateLimits }: SentinelConfig): BackendConfig[] {
  return [
    rateLimits.backend,
    ...filters.flatMap((filter) => filter.type === 'rate-limit' ? [filter.backend] : []),
    ...listeners.flatMap(({ rateLimit }) => rateLimit === undefined ? [] : [rateLimit.backend]),
    ...routes.flatMap(({ rateLimit, globalRateLimit }) => [rateLimit, globalRateLimit].flatMap((one) => one === undefined ? [] : [one.backend])),
  ]
}
