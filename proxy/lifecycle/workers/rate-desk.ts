import type { MetricTable } from '../../observe/metrics-table.ts'
import { RateLedger } from './rate-ledger.ts'
import type { RateAsk, RateGrant, RateMessage } from './rate-messages.ts'

export interface RateBorrower {
  readonly ended: boolean
  granted (grants: readonly RateGrant[]): void
  /** Asks for what it has of a key and does not use. Resolves when it was given back. */
  recallRate (limit: number, key: string): Promise<void>
}

interface Limit {
  readonly name: string
  readonly ledger: RateLedger
  readonly label: readonly [scope: string, name: string]
  /** By which number each worker knows it. */
  readonly users: Map<RateBorrower, number>
}

/** Where workers borrow of limits of requests in a time. */
export class RateDesk {
  readonly #workers: number
  readonly #limits = new Map<string, Limit>()
  readonly #numbers = new Map<RateBorrower, Map<number, Limit>>()

  constructor (workers: number) {
    this.#workers = workers
  }

  take (borrower: RateBorrower, message: RateMessage): void {
    if ('asks' in message) return this.#asked(borrower, message.asks)
    if ('open' in message) return this.#open(borrower, message)
    if ('close' in message) return this.#close(borrower, message.close)
    const nowMs = performance.now()
    for (const [number, key, used, unused] of message.backs) this.#limit(borrower, number)?.ledger.back(borrower, key, used, unused, nowMs)
  }

  /** It is gone, with all that it used. */
  forget (borrower: RateBorrower): void {
    for (const number of this.#numbers.get(borrower)?.keys() ?? []) this.#close(borrower, number)
    this.#numbers.delete(borrower)
  }

  tell ({ rateLimitKeys, rateLimitEvictions }: MetricTable): void {
    rateLimitKeys.clear()
    rateLimitEvictions.clear()
    for (const { label, ledger } of this.#limits.values()) {
      rateLimitKeys.cell(...label).set(ledger.keys)
      rateLimitEvictions.cell(...label).set(ledger.evicted)
    }
  }

  #asked (borrower: RateBorrower, asks: readonly RateAsk[]): void {
    const nowMs = performance.now()
    const grants: RateGrant[] = []
    for (const ask of asks) {
      const [number, key, count, more, used, maxWaitMs] = ask
      const limit = this.#limit(borrower, number)
      if (limit === undefined) continue
      if (used > 0) limit.ledger.back(borrower, key, used, 0, nowMs)
      const grant = limit.ledger.take(borrower, key, count, more, maxWaitMs, nowMs)
      const others = grant.granted < count ? [...limit.ledger.holders(key)].filter((other) => other !== borrower) : []
      if (others.length > 0) void this.#askOthers(borrower, limit, ask, grant.granted)
      else grants.push([number, key, grant.granted, grant.more, grant.firstWaitMs, grant.resetMs])
    }
    if (grants.length > 0) borrower.granted(grants)
  }

  /** Nothing is left, but others have some that they may not need. */
  async #askOthers (borrower: RateBorrower, { ledger, users }: Limit, [number, key, count, , , maxWaitMs]: RateAsk, before: number): Promise<void> {
    const holders = new Set(ledger.holders(key))
    await Promise.all([...users].filter(([user]) => user !== borrower && holders.has(user)).map(([user, theirs]) => user.recallRate(theirs, key)))
    if (borrower.ended) return
    const { granted, firstWaitMs, resetMs } = ledger.take(borrower, key, count - before, 0, maxWaitMs, performance.now())
    const interval = ledger.intervalMs
    // Those of before come first: as one row of grants, each an interval after the other.
    borrower.granted([[number, key, before + granted, 0, firstWaitMs - before * interval, resetMs]])
  }

  #limit (borrower: RateBorrower, number: number): Limit | undefined {
    return this.#numbers.get(borrower)?.get(number)
  }

  #open (borrower: RateBorrower, { open, name, settings, label }: Extract<RateMessage, { open: number }>): void {
    let limit = this.#limits.get(name)
    if (limit === undefined) this.#limits.set(name, limit = { name, label, ledger: new RateLedger(settings, this.#workers), users: new Map() })
    limit.users.set(borrower, open)
    const numbers = this.#numbers.get(borrower) ?? new Map<number, Limit>()
    this.#numbers.set(borrower, numbers.set(open, limit))
  }

  #close (borrower: RateBorrower, number: number): void {
    const limit = this.#limit(borrower, number)
    if (limit === undefined) return
    this.#numbers.get(borrower)?.delete(number)
    limit.ledger.forget(borrower, performance.now())
    limit.users.delete(borrower)
    if (limit.users.size === 0) this.#limits.delete(limit.name)
  }
}
