/** What one connection may do that costs us and is no request: so much at once, and so much a second (a token bucket). */
export class Budget {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #sinceMs: number

  constructor (burst: number, perSecond: number, nowMs: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#left = burst
    this.#sinceMs = nowMs
  }

  /** False when it is used up. The clock is looked at only then. */
  spend (cost: number): boolean {
    this.#left -= cost
    if (this.#left >= 0) return true
    const now = performance.now()
    this.#left = Math.min(this.#burst, this.#left + (now - this.#sinceMs) / 1000 * this.#perSecond)
    this.#sinceMs = now
    return this.#left >= 0
  }

  /** What we do ourselves calls for answers. */
  earn (amount: number): void {
    this.#left = Math.min(this.#burst, this.#left + amount)
  }
}
