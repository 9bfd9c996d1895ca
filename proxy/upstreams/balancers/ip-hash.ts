import { sharing, type Balancer, type Candidate } from './balancer.ts'
import { hashOf, worth } from './hash.ts'

/**
 * Each client has its target, by rendezvous hashing: whoever is worth most to the client gets it. When a target leaves, only its own clients move, and the next
 * in worth is the same for every proxy.
 */
export function ipHash<C extends Candidate> (): Balancer<C> {
  let candidates: readonly C[] = []
  let names: number[] = []
  return {
    use (next) {
      candidates = sharing(next)
      names = candidates.map(({ name }) => hashOf(name))
    },
    next ({ skip, key = '' }) {
      const client = hashOf(key)
      let chosen: C | undefined
      let most = 0
      for (let i = 0; i < candidates.length; i++) {
        const one = candidates[i]!
        if (skip !== undefined && skip.has(one)) continue
        const value = worth(client, names[i]!, one.weight)
        if (value <= most) continue
        most = value
        chosen = one
      }
      return chosen
    },
  }
}
