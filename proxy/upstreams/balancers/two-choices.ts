import type { Balancer, BalancerSettings, Candidate } from './balancer.ts'
import { Draw } from './draw.ts'

/** The better of two that are drawn by lot: nearly as even as the best of all, and proxies that know the same do not all run to the same target. */
export function betterOfTwo<C extends Candidate> (draw: Draw<C>, skip: ReadonlySet<C> | undefined, costOf: (one: C) => number): C | undefined {
  const first = draw.next(skip)
  if (first === undefined) return undefined
  const second = draw.next(skip, first)
  return second !== undefined && costOf(second) < costOf(first) ? second : first
}

/** Of two that are drawn, the one with fewer exchanges for its weight. */
export function powerOfTwoChoices<C extends Candidate> (settings: BalancerSettings): Balancer<C> {
  const draw = new Draw<C>(settings.random)
  const costOf = ({ inFlight, weight }: C): number => inFlight / weight
  return {
    use: (next) => draw.use(next, next.map(({ weight }) => weight)),
    next: ({ skip }) => betterOfTwo(draw, skip, costOf),
  }
}
