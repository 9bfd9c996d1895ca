import type { Balancer, BalancerSettings, Candidate } from './balancer.ts'
import { Draw } from './draw.ts'

/** Anybody, with the chance of its weight. Needs no memory, so that many proxies together do what one does. */
export function random<C extends Candidate> (settings: BalancerSettings): Balancer<C> {
  const draw = new Draw<C>(settings.random)
  return {
    use: (next) => draw.use(next, next.map(({ weight }) => weight)),
    next: ({ skip }) => draw.next(skip),
  }
}
