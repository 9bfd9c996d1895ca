import { sharing, type Balancer, type BalancerSettings, type Candidate } from './balancer.ts'

/** Whoever has the session already; where there is none, or the target is not to be asked any more, another balancer picks. */
export function sticky<C extends Candidate> (settings: BalancerSettings): Balancer<C> {
  const others = settings.fallback<C>(settings)
  let candidates: ReadonlySet<C> = new Set()
  const { learn } = others
  return {
    use (next, all) {
      candidates = new Set(sharing(next))
      others.use(next, all)
    },
    next (ask) {
      const { wanted, skip } = ask
      if (wanted !== undefined && candidates.has(wanted) && (skip === undefined || !skip.has(wanted))) return wanted
      return others.next(ask)
    },
    ...learn === undefined ? {} : { learn },
  }
}
