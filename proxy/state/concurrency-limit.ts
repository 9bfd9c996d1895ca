export interface ConcurrencySettings {
  readonly min: number
  readonly max: number
  readonly initial: number
  /** How many times longer than usual answers may take before fewer requests are let in. */
  readonly tolerance: number
}

/** How many requests may be worked on at a time, found out from how long they take. */
export interface ConcurrencyLimit {
  readonly value: number
  sample (latencyMs: number, inFlight: number, nowMs: number): void
}

/** What got faster is usual after some fifty answers. What got slower has to stay so for minutes: an overload must not become what is usual. */
const fasterWeight = 1 / 50
const slowerMs = 10 * 60_000
/** Share of a new limit in the one that counts, so that one slow answer does little. */
const smoothing = 0.05

/**
 * The gradient of latency: while answers take as long as usual, the limit grows by its square root, which is the room for a queue in front of whoever
 * does the work; when they take longer, it shrinks by as much. Below half of the limit nothing is learned: nobody pushes against it then.
 */
export class GradientLimit implements ConcurrencyLimit {
  /** May change while it counts. */
  settings: ConcurrencySettings
  #limit: number
  #usualMs = 0
  #lastMs = 0

  constructor (settings: ConcurrencySettings) {
    this.settings = settings
    this.#limit = Math.min(settings.max, Math.max(settings.min, settings.initial))
  }

  get value (): number {
    const { min, max } = this.settings
    return Math.floor(Math.min(max, Math.max(min, this.#limit)))
  }

  sample (latencyMs: number, inFlight: number, nowMs: number): void {
    if (latencyMs <= 0) return
    const passedMs = nowMs - this.#lastMs
    this.#lastMs = nowMs
    const { min, max, tolerance } = this.settings
    if (this.#usualMs === 0) this.#usualMs = latencyMs
    else if (latencyMs < this.#usualMs) this.#usualMs += (latencyMs - this.#usualMs) * fasterWeight
    else this.#usualMs += (latencyMs - this.#usualMs) * Math.min(1, passedMs / slowerMs)
    if (inFlight < this.#limit / 2) return
    const gradient = Math.max(0.5, Math.min(1, tolerance * this.#usualMs / latencyMs))
    const next = this.#limit * gradient + Math.sqrt(this.#limit)
    this.#limit = Math.min(max, Math.max(min, this.#limit + (next - this.#limit) * smoothing))
  }
}
