import { adaptive } from './adaptive.ts'
import type { MakeBalancer } from './balancer.ts'
import { consistentHash } from './consistent-hash.ts'
import { deterministicSubset } from './deterministic-subset.ts'
import { ipHash } from './ip-hash.ts'
import { leastConnections, leastTokensQueued, weightedLeastConnections } from './least-loaded.ts'
import { localityAware } from './locality-aware.ts'
import { maglev } from './maglev.ts'
import { peakEwma } from './peak-ewma.ts'
import { random } from './random.ts'
import { smoothWeighted } from './smooth-weighted.ts'
import { sticky } from './sticky.ts'
import { powerOfTwoChoices } from './two-choices.ts'

export type { Ask, Balancer, BalancerSettings, Candidate, MakeBalancer } from './balancer.ts'

const all = {
  'round-robin': smoothWeighted,
  'weighted': smoothWeighted,
  'least-connections': leastConnections,
  'weighted-least-connections': weightedLeastConnections,
  'random': random,
  'power-of-two-choices': powerOfTwoChoices,
  'ip-hash': ipHash,
  'consistent-hash': consistentHash,
  'maglev': maglev,
  'peak-ewma': peakEwma,
  'adaptive': adaptive,
  'least-tokens-queued': leastTokensQueued,
  'locality-aware': localityAware,
  'deterministic-subset': deterministicSubset,
  'sticky': sticky,
} as const satisfies Record<string, MakeBalancer>

export type BalancerName = keyof typeof all

/** Keys are the words of `load-balancing`. */
export const balancers: Readonly<Record<BalancerName, MakeBalancer>> = all

/** Those that take a hash of something. */
export const hashing: ReadonlySet<BalancerName> = new Set(['ip-hash', 'consistent-hash', 'maglev'])
