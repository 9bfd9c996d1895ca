/**
 * Chooses the next target. State is the numbers handed in, so that it can be tested without sockets.
 */
export interface Balancer {
  /** Index of the next target; `undefined` when every target of weight above 0 is in `skip`. */
  next (skip?: ReadonlySet<number>): number | undefined
}

/**
 * Smooth weighted round robin: weights 5, 1, 1 give a a b a c a a rather than a a a a a b c, so that no target gets a burst.
 *
 * Each turn every candidate gains its weight; the richest is chosen and pays what all of them gained. Equal weights make it plain
 * round robin. Weight 0 is never chosen.
 */
export function smoothWeighted (weights: readonly number[]): Balancer {
  const credit = weights.map(() => 0)
  return {
    next (skip) {
      let chosen: number | undefined
      let gained = 0
      for (let i = 0; i < weights.length; i++) {
        const weight = weights[i]!
        if (weight <= 0 || skip?.has(i) === true) continue
        gained += weight
        credit[i]! += weight
        if (chosen === undefined || credit[i]! > credit[chosen]!) chosen = i
      }
      if (chosen !== undefined) credit[chosen]! -= gained
      return chosen
    },
  }
}
