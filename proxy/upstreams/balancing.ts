import type { Exchange } from '../pipeline/exchange.ts'
import { balancers, hashing, type Balancer, type BalancerName, type BalancerSettings, type Candidate } from './balancers/index.ts'
import { hashKeyReader } from './hash-key.ts'
import { Sessions, type StickySettings } from './sessions.ts'

export interface BalancingSettings {
  readonly balance: BalancerName
  /** What hashes are taken of (`hashKeyReader`); default: the client's address. */
  readonly hashKey?: string
  /** Where this proxy runs. */
  readonly zone?: string
  /** What tells this proxy from others of the same configuration. */
  readonly instance?: string
  /** How many targets this proxy keeps to, where it keeps to some. */
  readonly subsetSize?: number
  /** With `balance: 'sticky'`. */
  readonly sticky?: StickySettings
}

/** How an upstream picks, for one configuration. */
export interface Balancing {
  readonly make: <C extends Candidate>() => Balancer<C>
  /** What hashes are taken of; `undefined` when none is taken. */
  readonly keyOf: ((x: Exchange) => string) | undefined
  readonly sessions: Sessions | undefined
  /** What waits for a target is counted in tokens. */
  readonly countsTokens: boolean
}

export function balancingOf (upstream: string, { balance, hashKey = 'client-ip', zone = '', instance = '', subsetSize = 1, sticky }: BalancingSettings): Balancing {
  const picking = balance === 'sticky' && sticky !== undefined ? sticky.fallback : balance
  const settings: BalancerSettings = {
    random: Math.random, nowMs: () => performance.now(), zone, instance, subsetSize, fallback: balancers[picking === 'sticky' ? 'round-robin' : picking],
  }
  return {
    make: <C extends Candidate>() => balancers[balance]<C>(settings),
    keyOf: hashing.has(picking) ? hashKeyReader(hashKey) : undefined,
    sessions: sticky === undefined ? undefined : new Sessions(upstream, sticky),
    countsTokens: picking === 'least-tokens-queued',
  }
}

/** Four bytes are about a token. */
const bytesOfToken = 4

/** What the request will probably cost: as somebody guessed, or by its length. */
export function tokensOf ({ tokens, requestBody }: Exchange): number {
  return tokens > 0 ? tokens : Math.ceil((requestBody?.length ?? 0) / bytesOfToken)
}
