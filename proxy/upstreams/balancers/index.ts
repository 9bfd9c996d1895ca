import type { MakeBalancer } from './balancer.ts'
import { smoothWeighted } from './smooth-weighted.ts'

export type { Ask, Balancer, BalancerSettings, Candidate, MakeBalancer } from './balancer.ts'

export type BalancerName = 'round-robin' | 'weighted'

/** Keys are the words of `load-balancing`. */
export const balancers: Readonly<Record<BalancerName, MakeBalancer>> = {
  'round-robin': smoothWeighted,
  'weighted': smoothWeighted,
}
