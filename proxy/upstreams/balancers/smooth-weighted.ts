import type { Ask, Balancer, Candidate } from './balancer.ts'

/**
 * Smooth weighted round robin: weights 5, 1, 1 give a a b a c a a rather than a a a a a b c, so that no target gets a burst.
 *
 * Each turn every candidate gains its weight; the richest is chosen and pays what all of them gained. Equal weights make it plain
 * round robin. Weight 0 is never chosen.
 */
export function smoothWeighted<C extends Candidate> (): Balancer<C> {
  let candidates: readonly C[] = []
  let weights: number[] = []
  let credit: number[] = []
  return {
    use (next) {
      // Who stays keeps its turn: otherwise each change would begin with the first one again.
      credit = next.map((one) => credit[candidates.indexOf(one)] ?? 0)
      weights = next.map(({ weight }) => weight)
      candidates = next
    },
    next ({ skip }: Ask<C>) {
      let chosen: number | undefined
      let gained = 0
      for (let i = 0; i < weights.length; i++) {
        const weight = weights[i]!
        if (weight <= 0 || skip?.has(candidates[i]!) === true) continue
        gained += weight
        credit[i]! += weight
        if (chosen === undefined || credit[i]! > credit[chosen]!) chosen = i
      }
      if (chosen === undefined) return undefined
      credit[chosen]! -= gained
      return candidates[chosen]
    },
  }
}
