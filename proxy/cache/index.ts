import { Cache } from './cache.ts'
import { MemoryStore } from './memory-store.ts'
import type { StoreSettings } from './settings.ts'

export type { Cache }
export type { RouteCacheSettings, StoreSettings } from './settings.ts'

export function openCache ({ maxBytes }: StoreSettings): Cache {
  return new Cache(new MemoryStore(maxBytes), maxBytes)
}
