import type { Balancer, BalancerSettings, Candidate } from './balancer.ts'
import { Draw } from './draw.ts'
import { betterOfTwo } from './two-choices.ts'

/** How often shares are reckoned anew. */
const everyMs = 100
/** In this time what was seen loses two thirds of what it counts, when nothing new is seen. */
const memoryMs = 10_000
/** What a single answer counts. */
const latencyStep = 0.1
const errorStep = 0.05
/** A target keeps so much of its share however bad it does: else nobody would learn that it recovered. */
const leastShare = 0.05
const mostShare = 4

interface Seen {
  /** Smoothed; 0 before the first answer. */
  ms: number
  /** Smoothed share of failures. */
  errors: number
  share: number
}

/**
 * Shares that follow how targets do: twice as slow is half the share, and failures cost more than they are. Of two that are drawn by these shares, the one
 * with fewer exchanges for its share.
 */
export function adaptive<C extends Candidate> ({ random, nowMs }: BalancerSettings): Balancer<C> {
  const draw = new Draw<C>(random)
  const seen = new WeakMap<C, Seen>()
  let candidates: readonly C[] = []
  let reckonedMs = -Infinity
  const seenOf = (one: C): Seen => {
    const known = seen.get(one)
    if (known !== undefined) return known
    const fresh: Seen = { ms: 0, errors: 0, share: 1 }
    seen.set(one, fresh)
    return fresh
  }
  const reckon = (now: number): void => {
    const kept = Math.exp(Math.max(-memoryMs, reckonedMs - now) / memoryMs)
    reckonedMs = now
    const all = candidates.map(seenOf)
    const known = all.filter(({ ms }) => ms > 0)
    const usualMs = known.reduce((sum, { ms }) => sum + ms, 0) / Math.max(1, known.length)
    for (const one of all) {
      one.errors *= kept
      // A millisecond more on both sides: between fractions of one there is no difference that matters.
      const speed = one.ms === 0 ? 1 : (usualMs + 1) / (one.ms + 1)
      one.share = Math.min(mostShare, Math.max(leastShare, speed * (1 - one.errors) ** 2))
    }
    draw.use(candidates, candidates.map(({ weight }, i) => weight * all[i]!.share))
  }
  const costOf = (one: C): number => one.inFlight / (one.weight * seenOf(one).share)
  return {
    use (next) {
      candidates = next
      reckon(nowMs())
    },
    next ({ skip }) {
      const now = nowMs()
      if (now - reckonedMs >= everyMs) reckon(now)
      return betterOfTwo(draw, skip, costOf)
    },
    learn (one, ms, failed) {
      const known = seenOf(one)
      known.errors += ((failed ? 1 : 0) - known.errors) * errorStep
      // How fast it fails says nothing about how fast it answers.
      if (!failed) known.ms = known.ms === 0 ? ms : known.ms + (ms - known.ms) * latencyStep
    },
  }
}
