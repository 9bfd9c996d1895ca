import { balancers, type Balancer, type BalancerName, type BalancerSettings, type Candidate } from '../../proxy/upstreams/index.ts'
import { randomFrom } from './chance.ts'

/** A target as balancers know one; tests change it. */
export interface Server extends Candidate {
  weight: number
  warmth: number
  zone: string
  inFlight: number
  queuedTokens: number
}

export function server (name: string, weight = 1, more: Partial<Server> = {}): Server {
  return { name, weight, warmth: 1, zone: '', inFlight: 0, queuedTokens: 0, ...more }
}

/** 10.0.0.1:80, 10.0.0.2:80 … of these weights. */
export function servers (...weights: readonly number[]): Server[] {
  return weights.map((weight, i) => server(`10.0.0.${i + 1}:80`, weight))
}

export interface Balanced {
  readonly balancer: Balancer<Server>
  /** Index in the list that was given first. */
  next (key?: string, ...skip: readonly number[]): number | undefined
  /** How often each one is picked, by so many requests of as many keys. */
  counts (turns: number): number[]
  clock: { nowMs: number }
}

/** A balancer with chance that is the same in every run, and a clock that a test turns. */
export function balanced (word: BalancerName, list: readonly Server[], settings: Partial<BalancerSettings> = {}, seed = 1): Balanced {
  const random = randomFrom(seed * 7919)
  const clock = { nowMs: 0 }
  const balancer = balancers[word]<Server>({
    random: () => random(1_000_000) / 1_000_000, nowMs: () => clock.nowMs, zone: 'here', instance: 'proxy-1', subsetSize: 1_000, fallback: balancers['round-robin'], ...settings,
  })
  balancer.use(list, list)
  const next: Balanced['next'] = (key, ...skip) => {
    const found = balancer.next({ key, wanted: undefined, skip: skip.length === 0 ? undefined : new Set(skip.map((i) => list[i]!)) })
    return found === undefined ? undefined : list.indexOf(found)
  }
  const counts = (turns: number): number[] => {
    const chosen = list.map(() => 0)
    for (let turn = 0; turn < turns; turn++) chosen[next(keyOf(turn))!]!++
    return chosen
  }
  return { balancer, next, counts, clock }
}

/** Like the addresses and tenants that hashes are taken of. */
export function keyOf (turn: number): string {
  return `tenant-${turn * 2_654_435_761 % 1_000_003}`
}
