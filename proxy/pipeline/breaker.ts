import { Fault } from './faults.ts'

/** How tries went since the last word, in this order: some that were well, then some that were not. */
export interface Run {
  readonly ok: number
  readonly failed: number
}

export interface BreakerSettings {
  /** Failures in a row that open it. */
  readonly failureThreshold: number
  /** Good probes in a row that close it. */
  readonly successThreshold: number
  /** How long it stays open. */
  readonly timeoutMs: number
  /** Probes at a time while it is half open. */
  readonly halfOpenMaxRequests: number
}

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * A circuit breaker: closed, it counts failures in a row; open, nothing passes; half open, a few probes decide. It is told what happened and says what is to
 * be done: whoever lets exchanges through may be many, and elsewhere.
 */
export class Breaker {
  state: BreakerState = 'closed'
  /** When it is time to be half open; Infinity when it is not open. */
  dueMs = Infinity
  /** In a row: of failures while it is closed, of good probes while it is half open. */
  streak = 0
  settings: BreakerSettings

  constructor (settings: BreakerSettings) {
    this.settings = settings
  }

  /** True when the state changed. What comes in while it is open was sent before that, and says nothing new. */
  note ({ ok, failed }: Run, nowMs: number): boolean {
    if (this.state === 'closed') {
      if (ok > 0) this.streak = 0
      this.streak += failed
      return this.streak >= this.settings.failureThreshold && this.#open(nowMs)
    }
    if (this.state === 'open') return false
    this.streak += ok
    if (failed > 0) return this.#open(nowMs)
    if (this.streak < this.settings.successThreshold) return false
    this.state = 'closed'
    this.streak = 0
    return true
  }

  /** True when it became half open. */
  wake (nowMs: number): boolean {
    if (nowMs < this.dueMs) return false
    this.state = 'half-open'
    this.streak = 0
    this.dueMs = Infinity
    return true
  }

  #open (nowMs: number): boolean {
    this.state = 'open'
    this.dueMs = nowMs + this.settings.timeoutMs
    return true
  }
}

/** For who is not let through; `waitMs`: until somebody is. */
export function breakerFault (detail: string, waitMs: number): Fault {
  const fault = new Fault('BREAKER_OPEN', detail)
  fault.retryAfterMs = Math.max(0, waitMs)
  return fault
}
