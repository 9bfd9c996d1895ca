export interface BudgetSettings {
  /** Share of the requests of the last ten seconds that may be tried again, in percent. */
  readonly percent: number
  /** So many a second may be in any case: of few requests a share is nothing. */
  readonly minPerSecond: number
}

/** How long a request counts. */
const windowSlots = 10
const slotMs = 1_000

/**
 * How many further tries there may be: without such a bound, every layer that tries three times makes three outages of one. It has no clock of its
 * own: `nowMs` is monotonic and never goes back.
 *
 * Requests and further tries are counted by the second. A further try is allowed while those of the last ten seconds are fewer than their share of
 * the requests, or else out of a bucket that fills with the least there is, and holds one second of it.
 */
export class RetryBudget {
  readonly #share: number
  readonly #minPerMs: number
  readonly #floorMost: number
  readonly #requests = new Float64Array(windowSlots)
  readonly #retries = new Float64Array(windowSlots)
  #allRequests = 0
  #allRetries = 0
  #slot = 0
  #slotEndsMs = 0
  #floor: number
  #floorAtMs = 0

  constructor ({ percent, minPerSecond }: BudgetSettings) {
    this.#share = percent / 100
    this.#minPerMs = minPerSecond / 1_000
    this.#floor = this.#floorMost = minPerSecond
  }

  /** A request came: it pays for a part of what may be tried again. */
  deposit (nowMs: number): void {
    this.#advance(nowMs)
    this.#requests[this.#slot]!++
    this.#allRequests++
  }

  /** Takes one further try; false when there is none left. */
  withdraw (nowMs: number): boolean {
    this.#advance(nowMs)
    if (this.#allRetries + 1 > this.#allRequests * this.#share && !this.#fromFloor(nowMs)) return false
    this.#retries[this.#slot]!++
    this.#allRetries++
    return true
  }

  #fromFloor (nowMs: number): boolean {
    this.#floor = Math.min(this.#floorMost, this.#floor + (nowMs - this.#floorAtMs) * this.#minPerMs)
    this.#floorAtMs = nowMs
    if (this.#floor < 1) return false
    this.#floor--
    return true
  }

  /** Forgets what is older than the window. */
  #advance (nowMs: number): void {
    if (nowMs < this.#slotEndsMs) return
    const passed = Math.min(windowSlots, Math.floor((nowMs - this.#slotEndsMs) / slotMs) + 1)
    for (let i = 0; i < passed; i++) {
      this.#slot = (this.#slot + 1) % windowSlots
      this.#allRequests -= this.#requests[this.#slot]!
      this.#allRetries -= this.#retries[this.#slot]!
      this.#requests[this.#slot] = this.#retries[this.#slot] = 0
    }
    this.#slotEndsMs = nowMs - (nowMs - this.#slotEndsMs) % slotMs + slotMs
  }
}

/** The budgets of one upstream by what they allow: routes that say the same share one, and a reload begins no new one. */
export class RetryBudgets {
  readonly #all = new Map<string, RetryBudget>()

  of (settings: BudgetSettings): RetryBudget {
    const key = `${settings.percent} ${settings.minPerSecond}`
    const budget = this.#all.get(key) ?? new RetryBudget(settings)
    this.#all.set(key, budget)
    return budget
  }
}
