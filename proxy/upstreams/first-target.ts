import type { Exchange } from '../pipeline/exchange.ts'
import { balancingOf } from './balancing.ts'
import type { BalancerName } from './balancers/index.ts'
import { eligible } from './eligible.ts'
import { nameOf } from './target.ts'
import type { ChangeableSettings } from './upstream.ts'

/** Nobody can say beforehand whom they pick. */
const byLot: ReadonlySet<BalancerName> = new Set(['random', 'power-of-two-choices', 'peak-ewma', 'adaptive'])

/** Whom an upstream that has seen no request yet would ask for this one, all of its targets being well; an index in its list. */
export function firstTarget (id: string, settings: ChangeableSettings, x: Exchange): number | undefined {
  const { balance, sticky, targets } = settings
  if (byLot.has(balance) || sticky !== undefined && byLot.has(sticky.fallback)) return undefined
  const balancing = balancingOf(id, settings)
  const all = targets.map((target, index) => {
    const { weight, zone = '', priority = 0, backup = false } = target
    return { index, name: nameOf(target), weight, warmth: 1, zone, inFlight: 0, queuedTokens: 0, standing: 0, priority, backup }
  })
  const [tier] = eligible(all, 0).tiers
  if (tier === undefined) return undefined
  const balancer = balancing.make<typeof all[number]>()
  balancer.use(tier.candidates, tier.all)
  return balancer.next({ skip: undefined, wanted: undefined, key: balancing.keyOf?.(x) })?.index
}
