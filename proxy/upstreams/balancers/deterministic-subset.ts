import { sharing, type Balancer, type BalancerSettings, type Candidate } from './balancer.ts'
import { hashOf, worth } from './hash.ts'
import { smoothWeighted } from './smooth-weighted.ts'

/**
 * Each proxy keeps to some of the targets, so that a hundred proxies and a thousand targets do not have a hundred thousand connections. Which ones follows
 * from its name: the same after a restart, and when a target comes or goes one of the subset changes at the most. The others are asked when nobody of the
 * subset is left.
 */
export function deterministicSubset<C extends Candidate> ({ instance, subsetSize }: BalancerSettings): Balancer<C> {
  const subset = smoothWeighted<C>()
  const others = smoothWeighted<C>()
  const me = hashOf(instance)
  return {
    use (candidates) {
      const ranked = sharing(candidates).map((one) => ({ one, value: worth(me, hashOf(one.name), one.weight / one.warmth) }))
      const chosen = new Set(ranked.sort((a, b) => b.value - a.value).slice(0, subsetSize).map(({ one }) => one))
      const inSubset = candidates.filter((one) => chosen.has(one))
      const outside = candidates.filter((one) => !chosen.has(one))
      subset.use(inSubset, inSubset)
      others.use(outside, outside)
    },
    next: (ask) => subset.next(ask) ?? others.next(ask),
  }
}
