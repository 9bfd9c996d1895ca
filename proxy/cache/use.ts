import { ageMsOf, type Freshness } from './stored.ts'
import type { Wishes } from './wishes.ts'

/**
 * What is done with a kept answer (RFC 9111 section 4): `fresh` and `stale` = it is given; `background` = it is given, and a new one fetched meanwhile;
 * `ask` = a new one is fetched first.
 */
export type Use = 'fresh' | 'stale' | 'background' | 'ask'

export function useOf (freshness: Freshness, wishes: Wishes, nowMs: number): Use {
  if (freshness.noCache || wishes.noCache) return 'ask'
  const ageMs = ageMsOf(freshness, nowMs)
  if (ageMs > wishes.maxAgeMs) return 'ask'
  const leftMs = freshness.freshMs - ageMs
  if (leftMs > 0 && leftMs >= wishes.minFreshMs) return 'fresh'
  if (leftMs > 0 || wishes.minFreshMs > 0) return 'ask'
  if (-leftMs < freshness.staleWhileRevalidateMs) return 'background'
  return wishes.maxStaleMs > 0 && !freshness.neverStale && -leftMs <= wishes.maxStaleMs ? 'stale' : 'ask'
}

/** Whether it may be given when no new one can be had (RFC 5861 section 4). */
export function servesErrors (freshness: Freshness, wishes: Wishes, nowMs: number): boolean {
  if (freshness.noCache || wishes.noCache) return false
  const ageMs = ageMsOf(freshness, nowMs)
  return ageMs <= wishes.maxAgeMs && ageMs - freshness.freshMs < freshness.staleIfErrorMs
}
