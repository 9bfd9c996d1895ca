import type { Balancer, BalancerSettings, Candidate } from './balancer.ts'
import { smoothWeighted } from './smooth-weighted.ts'

/** While so much of the zone is well, it gets everything. */
const enoughWell = 0.7

/**
 * Targets of the zone that this proxy runs in, by smooth weighted round robin. As less and less of the zone is well, more and more of its exchanges spill
 * over to the other zones, so that those that are left are not drowned.
 */
export function localityAware<C extends Candidate> ({ zone }: BalancerSettings): Balancer<C> {
  const near = smoothWeighted<C>()
  const far = smoothWeighted<C>()
  /** Part that stays in the zone, and what the others are owed. */
  let stays = 0
  let owed = 0
  return {
    use (candidates, all) {
      const here = (one: C): boolean => zone !== '' && one.zone === zone
      const local = candidates.filter(here)
      near.use(local, local)
      const others = candidates.filter((one) => !here(one))
      far.use(others, others)
      const well = weightOf(local) / Math.max(Number.MIN_VALUE, weightOf(all.filter(here)))
      stays = Math.min(1, well / enoughWell)
    },
    next (ask) {
      const goes = stays < 1 && (owed += 1 - stays) >= 1
      if (goes) owed -= 1
      return goes ? far.next(ask) ?? near.next(ask) : near.next(ask) ?? far.next(ask)
    },
  }
}

function weightOf (candidates: readonly Candidate[]): number {
  return candidates.reduce((sum, { weight, warmth }) => sum + weight / warmth, 0)
}
