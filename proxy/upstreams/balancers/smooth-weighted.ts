import { sharing, type Ask, type Balancer, type Candidate } from './balancer.ts'

/**
 * Smooth weighted round robin: weights 5, 1, 1 give a a b a c a a rather than a a a a a b c, so that no target gets a burst.
 *
 * Each turn every candidate gains its weight; the richest is chosen and pays what all of them gained. Equal weights make it plain
 * round robin.
 */
export function smoothWeighted<C extends Candidate> (): Balancer<C> {
  let candidates: readonly C[] = []
  let weights: number[] = []
  let credit: number[] = []
  return {
    use (next) {
      const before = new Map(candidates.map((one, i) => [one, credit[i]!]))
      candidates = sharing(next)
      weights = candidates.map(({ weight }) => weight)
      // Who stays keeps its turn: otherwise each change would begin with the first one again.
      credit = candidates.map((one) => before.get(one) ?? 0)
    },
    next ({ skip }: Ask<C>) {
      let chosen = -1
      let gained = 0
      for (let i = 0; i < weights.length; i++) {
        if (skip !== undefined && skip.has(candidates[i]!)) continue
        const weight = weights[i]!
        gained += weight
        credit[i]! += weight
        if (chosen === -1 || credit[i]! > credit[chosen]!) chosen = i
      }
      if (chosen === -1) return undefined
      credit[chosen]! -= gained
      return candidates[chosen]
    },
  }
}
