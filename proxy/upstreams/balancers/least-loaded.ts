import { sharing, type Balancer, type Candidate } from './balancer.ts'

/** Whoever has the fewest exchanges. A slow target gets less, because it has them longer. */
export function leastConnections<C extends Candidate> (): Balancer<C> {
  return leastLoaded(({ inFlight }) => inFlight, ({ warmth }) => warmth)
}

/** Whoever has the fewest exchanges for its weight. */
export function weightedLeastConnections<C extends Candidate> (): Balancer<C> {
  return leastLoaded(({ inFlight }) => inFlight, ({ weight }) => weight)
}

/** Whoever has the least to work through for its weight; exchanges in flight decide where that is equal. */
export function leastTokensQueued<C extends Candidate> (): Balancer<C> {
  return leastLoaded(({ queuedTokens, inFlight }) => queuedTokens + inFlight / 1_000, ({ weight }) => weight)
}

/** Among those that are loaded alike smooth weighted round robin decides: with little to do the first one would get everything. */
function leastLoaded<C extends Candidate> (loadOf: (one: C) => number, shareOf: (one: C) => number): Balancer<C> {
  let candidates: readonly C[] = []
  let shares: number[] = []
  let credit: number[] = []
  let loads: number[] = []
  return {
    use (next) {
      const before = new Map(candidates.map((one, i) => [one, credit[i]!]))
      candidates = sharing(next)
      shares = candidates.map(shareOf)
      credit = candidates.map((one) => before.get(one) ?? 0)
      loads = candidates.map(() => 0)
    },
    next ({ skip }) {
      let least = Infinity
      for (let i = 0; i < candidates.length; i++) {
        const one = candidates[i]!
        const load = loads[i] = skip !== undefined && skip.has(one) ? Infinity : loadOf(one) / shares[i]!
        if (load < least) least = load
      }
      if (least === Infinity) return undefined
      let chosen = -1
      let gained = 0
      for (let i = 0; i < candidates.length; i++) {
        if (loads[i] !== least) continue
        gained += shares[i]!
        credit[i]! += shares[i]!
        if (chosen === -1 || credit[i]! > credit[chosen]!) chosen = i
      }
      credit[chosen]! -= gained
      return candidates[chosen]
    },
  }
}
