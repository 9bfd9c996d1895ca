/** Which kept answers are to go. */
export interface Purge {
  /**
   * `url` = of one address with all that is kept for it, `prefix` = of all addresses that begin so, `glob` = of addresses with `*` for any part of a
   * segment and `**` for any number of them, `tag` = that their upstream marked so (`Surrogate-Key`, `Cache-Tag`), `all` = everything.
   */
  readonly by: 'url' | 'prefix' | 'glob' | 'tag' | 'all'
  /**
   * A path as clients ask for it, with its query where there is one. Without a query, `url` and `glob` take all queries. For `tag` the tag, for `all` nothing.
   * Longer than `longestPurge`, or not beginning with "/" where it is a path: nothing is purged.
   */
  readonly value: string
  /** Host and port as clients ask for them, in small letters; all hosts without it. */
  readonly host?: string
}

export const longestPurge = 8 * 1024

export interface PurgeOutcome {
  /** Answers that are gone, as far as they are counted: what several processes have in one folder is counted once. */
  readonly purged: number
}

/** What is counted since the process started, and what is kept now. Of all processes together. */
export interface KeptFacts {
  readonly hits: number
  readonly misses: number
  readonly stores: number
  readonly evictions: number
  readonly memory: KeptPlace
  readonly disk: KeptPlace
}

export interface KeptPlace {
  readonly hits: number
  readonly entries: number
  readonly bytes: number
}

/** The answers that all routes keep, in every process. What `cache-purge` and `cache-stats` and the control socket ask. */
export interface KeptAnswers {
  /** Resolves when no process gives such an answer any more. */
  purge (what: Purge): Promise<PurgeOutcome>
  facts (): Promise<KeptFacts>
}

const nowhere: KeptPlace = { hits: 0, entries: 0, bytes: 0 }

export const noFacts: KeptFacts = { hits: 0, misses: 0, stores: 0, evictions: 0, memory: nowhere, disk: nowhere }

/** Those of several processes. They have one folder on disk: what is in it counts once, as the one says who has seen most of it. */
export function sumOfFacts (all: readonly KeptFacts[]): KeptFacts {
  return all.reduce((a, b) => ({
    hits: a.hits + b.hits,
    misses: a.misses + b.misses,
    stores: a.stores + b.stores,
    evictions: a.evictions + b.evictions,
    memory: { hits: a.memory.hits + b.memory.hits, entries: a.memory.entries + b.memory.entries, bytes: a.memory.bytes + b.memory.bytes },
    disk: { hits: a.disk.hits + b.disk.hits, entries: Math.max(a.disk.entries, b.disk.entries), bytes: Math.max(a.disk.bytes, b.disk.bytes) },
  }), noFacts)
}
