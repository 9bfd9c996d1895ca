/** What one connection may do that costs us and is no request: so much at once, and so much a second (a token bucket). */
export class Budget {
  readonly #burst: number
  readonly #perSecond: number
  #left: number
  #sinceMs: number

  constructor (burst: number, perSecond: number) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#left = burst
    this.#sinceMs = performance.now()
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

/** What one connection may do. The figures are far above what clients need that mean well, and what they allow costs a few milliseconds a second. */
export class Budgets {
  /** Frames that cost us and ask for nothing: PING, SETTINGS, PRIORITY, empty DATA, unknown types. */
  readonly control = new Budget(1_000, 100)
  /** What targets sent before they heard that nobody wants it, in KiB and frames: each reset of ours pays for what may be on its way. */
  readonly late = new Budget(20_000, 2_000)
  /** Those who read give back what they have read. */
  readonly windowUpdates = new Budget(2_000, 500)
  /** Streams that were opened to be ended: resets, and faults that made us reset. */
  readonly resets = new Budget(300, 30)

  /** DATA frames of ours: those who read them give the windows back, and some measure the way by a PING each (gRPC in Go). */
  earnFor (frames: number): void {
    this.windowUpdates.earn(frames * 3)
    this.control.earn(frames)
  }
}
