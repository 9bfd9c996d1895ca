import type { HeaderList } from '../pipeline/headers.ts'
import { readDirectives, secondsOf } from './directives.ts'

/** What a client says of kept answers (RFC 9111 section 5.2.1). Durations in milliseconds. */
export interface Wishes {
  readonly noStore: boolean
  readonly noCache: boolean
  readonly onlyIfCached: boolean
  readonly maxAgeMs: number
  readonly minFreshMs: number
  /** How long an answer may be outdated. */
  readonly maxStaleMs: number
}

const noWishes: Wishes = { noStore: false, noCache: false, onlyIfCached: false, maxAgeMs: Infinity, minFreshMs: 0, maxStaleMs: 0 }

export function wishesOf (headers: HeaderList): Wishes {
  if (!headers.has('cache-control')) {
    // RFC 9111 section 5.4: it counts where there is nothing newer.
    return headers.has('pragma') && /(?:^|[\s,])no-cache(?:$|[\s,])/i.test(headers.getAll('pragma').join(',')) ? { ...noWishes, noCache: true } : noWishes
  }
  const directives = readDirectives(headers)
  const ms = (name: string, otherwise: number): number => {
    const seconds = secondsOf(directives, name)
    return seconds === undefined ? otherwise : seconds * 1000
  }
  return {
    noStore: directives.has('no-store'),
    noCache: directives.has('no-cache'),
    onlyIfCached: directives.has('only-if-cached'),
    maxAgeMs: ms('max-age', Infinity),
    minFreshMs: ms('min-fresh', 0),
    maxStaleMs: directives.get('max-stale') === true ? Infinity : ms('max-stale', 0),
  }
}
