export interface RateSettings {
  /** Over time, for each key. */
  readonly perSecond: number
  /** How many more than one may come at once. */
  readonly burst: number
  /** Keys that are remembered; the one unused for longest gives way. */
  readonly maxKeys: number
}

export interface RateVerdict {
  readonly allowed: boolean
  /** How many more may come at once. */
  readonly remaining: number
  /** Milliseconds until the next one may come: 0 when it was allowed. */
  readonly waitMs: number
  /** Milliseconds until as many may come at once as ever. */
  readonly resetMs: number
}

/** Counts for one limit. */
export interface Rates {
  /** Counts one, unless it is too much or would have to wait for longer than `maxWaitMs`. */
  take (key: string, nowMs: number, maxWaitMs: number): RateVerdict
  /** Keys that are remembered now, and how many had to give way so far. */
  readonly keys: number
  readonly evicted: number
}

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
    // Sums of fractions are a hair too small now and then.
    return { allowed: true, remaining: Math.max(0, Math.floor(room / this.#intervalMs + 1e-9)), waitMs, resetMs: nextMs - nowMs }
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
