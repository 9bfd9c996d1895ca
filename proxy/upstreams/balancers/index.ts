import { smoothWeighted, type Balancer } from './smooth-weighted.ts'

export type { Balancer } from './smooth-weighted.ts'

/** Keys are the words of `load-balancing`. A balancer is made from the targets' weights, in file order. */
export const balancers = {
  'round-robin': smoothWeighted,
  'weighted': smoothWeighted,
} as const satisfies Record<string, (weights: readonly number[]) => Balancer>

export type BalancerName = keyof typeof balancers
