import type { Balancer, BalancerSettings, Candidate } from './balancer.ts'
import { Draw } from './draw.ts'
import { betterOfTwo } from './two-choices.ts'

/** In this time a measurement loses two thirds of what it counts. */
const memoryMs = 10_000
/** What a failure counts as, at least: a target that fails fast must not look fast. */
const failureMs = 1_000
const longestMs = 60_000

interface Latency {
  ms: number
  atMs: number
}

/**
 * Of two that are drawn, the one that will probably answer first: its latency times the exchanges that it has.
 *
 * Latency follows peaks at once and forgets them slowly (an exponentially weighted moving average), and fades while nobody asks, so that a target that was
 * slow once is tried again.
 */
export function peakEwma<C extends Candidate> ({ random, nowMs }: BalancerSettings): Balancer<C> {
  const draw = new Draw<C>(random)
  const latencies = new WeakMap<C, Latency>()
  /** Of everybody: what is taken for the latency of who has not answered yet. */
  let usualMs = 0
  let usualWeight = 1
  let askedMs = 0
  const faded = ({ ms, atMs }: Latency): number => ms * Math.exp((atMs - askedMs) / memoryMs)
  const costOf = (one: C): number => {
    const latency = latencies.get(one)
    // A millisecond and an exchange more: who has nothing, or was not heard of for long, is told apart by the other of the two.
    return ((latency === undefined ? usualMs : faded(latency)) + 1) * (one.inFlight * usualWeight / one.weight + 1)
  }
  return {
    use (next) {
      const weights = next.map(({ weight }) => weight)
      draw.use(next, weights)
      usualWeight = weights.reduce((sum, weight) => sum + weight, 0) / Math.max(1, weights.length)
    },
    next ({ skip }) {
      askedMs = nowMs()
      return betterOfTwo(draw, skip, costOf)
    },
    learn (one, ms, failed) {
      askedMs = nowMs()
      const latency = latencies.get(one)
      const now = latency === undefined ? 0 : faded(latency)
      const seen = Math.min(longestMs, failed ? Math.max(failureMs, ms, now * 2) : ms)
      usualMs += (seen - usualMs) / 16
      if (latency === undefined) return void latencies.set(one, { ms: seen, atMs: askedMs })
      const kept = Math.exp((latency.atMs - askedMs) / memoryMs)
      latency.ms = seen > now ? seen : latency.ms * kept + seen * (1 - kept)
      latency.atMs = askedMs
    },
  }
}
