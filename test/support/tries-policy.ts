import type { BudgetSettings, HedgePolicy, RetryPolicy, RetryReason, TriesPolicy } from '../../proxy/upstreams/index.ts'

export interface TriesGiven extends Partial<Omit<RetryPolicy, 'on' | 'statuses'>> {
  readonly on?: readonly RetryReason[]
  readonly statuses?: readonly number[]
  readonly hedge?: HedgePolicy
  readonly budget?: Partial<BudgetSettings>
  readonly maxBodyBytes?: number
}

/** What a test says of tries, beside which nothing stands in the way: hardly any wait, and no budget to speak of. */
export function triesPolicy ({ on = ['connect-failure', 'reset'], statuses = [], hedge, budget, maxBodyBytes = 100_000, ...retry }: TriesGiven = {}): TriesPolicy {
  return {
    retry: { maxAttempts: 3, backOff: { firstMs: 2, mostMs: 5 }, attemptTimeoutMs: Infinity, nonIdempotent: false, ...retry, on: new Set(on), statuses: new Set(statuses) },
    hedge,
    budget: { percent: 100, minPerSecond: 1_000, ...budget },
    replay: { maxBytes: maxBodyBytes, maxBytesOfAll: 1_000_000, room: { used: 0 } },
  }
}
