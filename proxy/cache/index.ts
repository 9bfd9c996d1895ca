import { Cache } from './cache.ts'
import { DiskStore } from './disk-store.ts'
import { HybridStore } from './hybrid-store.ts'
import { MemoryStore } from './memory-store.ts'
import type { StoreSettings } from './settings.ts'
import type { Store } from './store.ts'

export type { Cache }
export type { RouteCacheSettings, StoreSettings } from './settings.ts'

export interface StoreSurroundings {
  /** Other processes keep answers in the same folder. */
  readonly isShared: boolean
  readonly trouble: (what: string, error: unknown) => void
}

/** Throws when the folder cannot be made. */
export function openCache (settings: StoreSettings, around: StoreSurroundings): Cache {
  return new Cache(storeOf(settings, around), settings.maxBytes)
}

function storeOf ({ backend, maxBytes, diskPath, diskShards, diskMaxBytes }: StoreSettings, around: StoreSurroundings): Store {
  if (backend === 'memory' || diskPath === undefined) return new MemoryStore(maxBytes)
  const disk = new DiskStore({ folder: diskPath, shards: diskShards, maxBytes: diskMaxBytes, ...around })
  // A few large answers are not to put out all others.
  return backend === 'disk' ? disk : new HybridStore(new MemoryStore(maxBytes), disk, Math.floor(maxBytes / 16))
}
