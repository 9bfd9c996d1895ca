import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Cache, RouteCacheSettings, StoreSettings } from '../cache/index.ts'
import type { Log } from '../observe/log.ts'
import type { MetricTable } from '../observe/metrics-table.ts'
import type { KeptFacts } from '../pipeline/kept-answers.ts'
import { canonicalKey, type Lend } from './leases.ts'
import type { Parts } from './parts.ts'

/** Whether a route keeps answers. The parts that do are loaded only then. */
export function keepsAnswers ({ cache, enabled, upstream }: RouteConfig, config: Pick<SentinelConfig, 'cache'>): boolean {
  return enabled && upstream !== undefined && cache?.enabled === true && config.cache.enabled
}

interface CacheSurroundings {
  readonly parts: Parts
  readonly lend: Lend
  readonly log: Log
  /** Other processes have the same folder. */
  readonly isShared: boolean
}

/** The store that all routes share, for as long as a configuration says the same of it. */
export function openCache (config: SentinelConfig, { parts: { cache }, lend, log, isShared }: CacheSurroundings): Cache | undefined {
  if (cache === undefined) return undefined
  const settings = storeSettings(config)
  return lend(canonicalKey('cache', settings), () => cache.openCache(settings, { isShared, trouble: troubleTo(log) }), (store) => store.close())
}

function storeSettings ({ cache }: SentinelConfig): StoreSettings {
  const { backend, maxSize, evictionLimit, diskPath, diskShards, diskMaxSize } = cache
  return { backend, maxBytes: Math.min(maxSize, evictionLimit ?? maxSize), diskPath, diskShards, diskMaxBytes: diskMaxSize }
}

export function routeCacheSettings (route: RouteConfig, { cache: place }: SentinelConfig, guardedHeaders: () => ReadonlySet<string>): RouteCacheSettings {
  const rules = route.cache! // Asked of routes that have some.
  return {
    route: route.id,
    defaultTtlMs: rules.defaultTtl,
    negativeTtlMs: rules.negativeTtl,
    maxBytes: Math.min(rules.maxSize, place.maxSize),
    cachePrivate: rules.cachePrivate,
    respectCacheControl: rules.respectCacheControl,
    staleWhileRevalidateMs: rules.staleWhileRevalidate,
    staleIfErrorMs: rules.staleIfError,
    methods: new Set(rules.cacheableMethods),
    statuses: new Set(rules.cacheableStatusCodes),
    varyHeaders: rules.varyHeaders.map((name) => name.toLowerCase()),
    varyQueryParams: rules.varyQueryParams,
    ignoreQueryParams: rules.ignoreQueryParams,
    excludeExtensions: rules.excludeExtensions.map((ending) => ending.replace(/^\./, '').toLowerCase()),
    excludePaths: rules.excludePaths,
    minUses: rules.minUses,
    lockTimeoutMs: place.lockTimeout,
    statusName: place.statusHeader ? place.statusHeaderName : undefined,
    guardedHeaders,
  }
}

export function tellKept (table: MetricTable, { stores, evictions, memory, disk }: KeptFacts): void {
  table.cacheStores.cell().set(stores)
  table.cacheMemoryHits.cell().set(memory.hits)
  table.cacheDiskHits.cell().set(disk.hits)
  table.cacheEvictions.cell().set(evictions)
  table.cacheSize.cell('memory').set(memory.bytes)
  table.cacheSize.cell('disk').set(disk.bytes)
  table.cacheEntries.cell('memory').set(memory.entries)
  table.cacheEntries.cell('disk').set(disk.entries)
}

const troubleEveryMs = 60_000

/** A disk that is full is told of once a minute, not with every answer. */
function troubleTo (log: Log): (what: string, error: unknown) => void {
  let lastMs = -Infinity
  return (what, error) => {
    if (performance.now() - lastMs < troubleEveryMs) return
    lastMs = performance.now()
    log.warn(`${what}; requests are answered without`, { event: 'cache-trouble', component: 'cache', error })
  }
}
