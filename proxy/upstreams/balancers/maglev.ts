import { inOrder, sharesOf, type Balancer, type Candidate } from './balancer.ts'
import { hashOf, mixed } from './hash.ts'

/** A prime: only then does every step lead through the whole table. */
const places = 65_537

/**
 * Maglev hashing (Eisenbud et al., NSDI 2016): a table of places, in which targets take turns to take the next free one of an order of their own.
 * Shares are exact to a place, and a change moves few keys that it would not have to.
 */
export function maglev<C extends Candidate> (): Balancer<C> {
  let candidates: readonly C[] = []
  let shares = ''
  let table = new Uint32Array()
  return {
    use (next) {
      candidates = inOrder(next)
      const before = shares
      shares = sharesOf(candidates)
      if (shares !== before) table = tableOf(candidates)
    },
    next ({ skip, key = '' }) {
      if (candidates.length === 0) return undefined
      let hash = hashOf(key)
      const first = candidates[table[hash % places]!]!
      if (skip === undefined || !skip.has(first)) return first
      // Other places of the same key. With few left to find them is a matter of luck.
      for (let tries = candidates.length * 2; tries > 0; tries--) {
        hash = mixed(hash + 1 | 0)
        const one = candidates[table[hash % places]!]!
        if (!skip.has(one)) return one
      }
      const from = hash % candidates.length
      for (let i = 0; i < candidates.length; i++) {
        const one = candidates[(from + i) % candidates.length]!
        if (!skip.has(one)) return one
      }
      return undefined
    },
  }
}

function tableOf (candidates: readonly Candidate[]): Uint32Array<ArrayBuffer> {
  const count = candidates.length
  const table = new Uint32Array(places)
  if (count === 0) return table
  const taken = new Uint8Array(places)
  const step = candidates.map(({ name }) => mixed(hashOf(name) ^ 0x5bd1_e995) % (places - 1) + 1)
  const at = candidates.map(({ name }) => hashOf(name) % places)
  const most = candidates.reduce((max, { weight }) => Math.max(max, weight), 0)
  /** Turns that each one has earned and not had. */
  const earned = candidates.map(() => 0)
  for (let filled = 0; ;) {
    for (let i = 0; i < count; i++) {
      // The heaviest has a turn in each round, the others when they have earned one.
      if ((earned[i]! += candidates[i]!.weight / most) < 1) continue
      earned[i]! -= 1
      let place = at[i]!
      while (taken[place] === 1) place = (place + step[i]!) % places
      taken[place] = 1
      table[place] = i
      at[i] = (place + step[i]!) % places
      if (++filled === places) return table
    }
  }
}
