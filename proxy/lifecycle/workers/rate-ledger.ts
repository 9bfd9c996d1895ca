import type { Grant, RateSettings } from '../../pipeline/rates.ts'

export interface LentGrant extends Grant {
  /** Of those for later, so many may be used by the borrower without asking. */
  readonly more: number
}

interface Count {
  /** When all that was granted would have been due, had it come evenly. */
  dueMs: number
  /** What is lent and not known to be used. */
  readonly lent: Map<object, number>
}

/**
 * One limit of requests in a time, of which workers borrow. What is lent is counted like what has come; but as long as it is lent, it may come in any
 * moment, so that it is never counted as made up for by time: what is lent and what is left are never more than the limit together.
 */
export class RateLedger {
  evicted = 0
  readonly intervalMs: number
  readonly #toleranceMs: number
  readonly #maxKeys: number
  readonly #workers: number
  /** The key that was used last at the end. */
  readonly #counts = new Map<string, Count>()

  constructor ({ perSecond, burst, maxKeys }: RateSettings, workers: number) {
    this.intervalMs = 1000 / perSecond
    this.#toleranceMs = this.intervalMs * burst
    this.#maxKeys = maxKeys
    this.#workers = workers
  }

  get keys (): number {
    return this.#counts.size
  }

  /** Grants as many of `count` as may go within `maxWaitMs`; of what is left then, each worker gets at most its part of a half for later. */
  take (borrower: object, key: string, count: number, more: number, maxWaitMs: number, nowMs: number): LentGrant {
    const found = this.#use(key)
    const dueMs = this.#due(found, nowMs)
    const firstWaitMs = dueMs - this.#toleranceMs - nowMs
    const granted = Math.max(0, Math.min(count, Math.floor((maxWaitMs - firstWaitMs) / this.intervalMs + 1e-6) + 1))
    const resetMs = dueMs + granted * this.intervalMs - nowMs
    const room = granted < count ? 0 : (this.#toleranceMs + this.intervalMs - resetMs) / this.intervalMs
    const lent = Math.max(0, Math.min(more, Math.floor(room / (2 * this.#workers))))
    if (granted + lent === 0) return { granted, more: 0, firstWaitMs, resetMs }
    const kept = found ?? this.#add(key)
    kept.dueMs = nowMs + resetMs + lent * this.intervalMs
    if (lent > 0) kept.lent.set(borrower, (kept.lent.get(borrower) ?? 0) + lent)
    return { granted, more: lent, firstWaitMs, resetMs }
  }

  back (borrower: object, key: string, used: number, unused: number, nowMs: number): void {
    const found = this.#counts.get(key)
    const has = found?.lent.get(borrower)
    if (found === undefined || has === undefined) return
    const back = Math.min(unused, has)
    found.dueMs = this.#due(found, nowMs) - back * this.intervalMs
    const left = has - back - used
    if (left > 0) found.lent.set(borrower, left)
    else found.lent.delete(borrower)
  }

  /** Who has some of it for later. */
  holders (key: string): Iterable<object> {
    return this.#counts.get(key)?.lent.keys() ?? []
  }

  /** It is gone; whatever it had may have been used. */
  forget (borrower: object, nowMs: number): void {
    for (const [key, { lent }] of this.#counts) {
      const has = lent.get(borrower)
      if (has !== undefined) this.back(borrower, key, has, 0, nowMs)
    }
  }

  #due (found: Count | undefined, nowMs: number): number {
    if (found === undefined) return nowMs
    let out = 0
    for (const has of found.lent.values()) out += has
    return Math.max(found.dueMs, nowMs + out * this.intervalMs)
  }

  #use (key: string): Count | undefined {
    const found = this.#counts.get(key)
    if (found === undefined) return undefined
    this.#counts.delete(key)
    this.#counts.set(key, found)
    return found
  }

  #add (key: string): Count {
    if (this.#counts.size >= this.#maxKeys) {
      const [oldest] = this.#counts.keys()
      if (oldest !== undefined) this.#counts.delete(oldest)
      this.evicted++
    }
    const added = { dueMs: 0, lent: new Map<object, number>() }
    this.#counts.set(key, added)
    return added
  }
}
