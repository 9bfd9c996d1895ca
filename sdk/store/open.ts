import type { Log } from '../log.ts'
import { memoryStore } from './memory.ts'
import { redisStore } from './redis.ts'
import type { OwnedStore } from './store.ts'

/** Whether a text names a store in Redis: `redis://` or, with TLS, `rediss://`, a host, and perhaps credentials, a port and a database. */
export function isRedisUrl (text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, pathname, search } = new URL(text)
  return /^rediss?:$/.test(protocol) && hostname !== '' && /^\/?\d{0,5}$/.test(pathname) && search === ''
}

/** Opens the store that an operator named: "memory", or a URL of Redis. Keys of different agents do not meet. */
export function openStore (where: string, agent: string, log: Log): Promise<OwnedStore> {
  return where === 'memory' ? Promise.resolve(memoryStore()) : redisStore(where, `sentinel:agent:${agent}:`, log)
}
