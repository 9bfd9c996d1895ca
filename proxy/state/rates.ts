import { roomIn, type RateLedgers, type Rates, type RateSettings, type RateVerdict } from '../pipeline/rates.ts'

/**
 * The generic cell rate algorithm (ITU-T I.371, annex A), as a virtual clock for each key: what is remembered is only the moment at which all that
 * came would have been due, had it come evenly.
 */
export class LocalRates implements Rates {
  evicted = 0
  readonly #intervalMs: number
  readonly #toleranceMs: number
  readonly #maxKeys: number
  /** Theoretical arrival times, the key that was used last at the end. */
  readonly #due = new Map<string, number>()

  constructor ({ perSecond, burst, maxKeys }: RateSettings) {
    this.#intervalMs = 1000 / perSecond
    this.#toleranceMs = this.#intervalMs * burst
    this.#maxKeys = maxKeys
  }

  get keys (): number {
    return this.#due.size
  }

  take (key: string, nowMs: number, maxWaitMs: number): RateVerdict {
    const known = this.#due.get(key)
    const dueMs = known === undefined || known < nowMs ? nowMs : known
    const waitMs = Math.max(0, dueMs - this.#toleranceMs - nowMs)
    if (waitMs > maxWaitMs) return { allowed: false, remaining: 0, waitMs, resetMs: dueMs - nowMs }
    const nextMs = dueMs + this.#intervalMs
    this.#remember(key, nextMs, known !== undefined)
    const room = this.#toleranceMs + this.#intervalMs - (nextMs - nowMs)
    return { allowed: true, remaining: roomIn(room, this.#intervalMs), waitMs, resetMs: nextMs - nowMs }
  }

  #remember (key: string, dueMs: number, known: boolean): void {
    if (known) this.#due.delete(key)
    else if (this.#due.size >= this.#maxKeys) {
      const [oldest] = this.#due.keys()
      if (oldest !== undefined) this.#due.delete(oldest)
      this.evicted++
    }
    this.#due.set(key, dueMs)
  }
}

/** One process has all counts to itself. */
export const ownRates: RateLedgers = { open: (_name, settings) => new LocalRates(settings) }
