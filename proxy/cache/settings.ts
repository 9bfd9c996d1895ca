/** What is configured for the place where answers are kept. */
export interface StoreSettings {
  readonly backend: 'memory' | 'disk' | 'hybrid'
  /** Memory for answers, and so much again for those that are arriving. */
  readonly maxBytes: number
  /** Folder; of "disk" and "hybrid". */
  readonly diskPath: string | undefined
  readonly diskShards: number
  readonly diskMaxBytes: number
}

/** What a route says of the answers that it keeps. Durations in milliseconds. */
export interface RouteCacheSettings {
  readonly route: string
  readonly defaultTtlMs: number
  /** Of answers with a status from 400 on. */
  readonly negativeTtlMs: number
  readonly maxBytes: number
  readonly cachePrivate: boolean
  readonly respectCacheControl: boolean
  readonly staleWhileRevalidateMs: number
  readonly staleIfErrorMs: number
  readonly methods: ReadonlySet<string>
  readonly statuses: ReadonlySet<number>
  /** Request header fields that make another answer; in lower case. */
  readonly varyHeaders: readonly string[]
  /** Parameters of the query that make another answer; empty: all do. */
  readonly varyQueryParams: readonly string[]
  readonly ignoreQueryParams: readonly string[]
  /** Endings of paths, without the dot, in lower case. */
  readonly excludeExtensions: readonly string[]
  readonly excludePaths: readonly string[]
  /** How many times an answer is asked for until it is kept. */
  readonly minUses: number
  /** How long a request waits for another that fetches the same. */
  readonly lockTimeoutMs: number
  /** Of this cache in `Cache-Status`; `undefined`: nothing is said there. */
  readonly statusName: string | undefined
  /** Request header fields that only agents set, in lower case: what they say makes another answer. */
  readonly guardedHeaders: () => ReadonlySet<string>
}
