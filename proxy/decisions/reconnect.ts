export interface ReconnectBounds {
  /** Shortest pause between two attempts. */
  readonly initialMs: number
  /** Longest pause. */
  readonly maxMs: number
}

/**
 * Pause before the next attempt: a tenth of the time the agent has been away, within the bounds, less up to a half by chance.
 *
 * Growing with the time away instead of with the number of attempts keeps the wait in proportion to the outage: an agent
 * that restarts within two seconds is found in under 200 ms, one that is away for a day costs an attempt every few seconds,
 * and proxies that lost the same agent do not come back in step.
 */
export function reconnectPauseMs (awayMs: number, bounds: ReconnectBounds, random: () => number = Math.random): number {
  const pause = Math.min(bounds.maxMs, Math.max(bounds.initialMs, awayMs / 10))
  return pause * (1 - random() / 2)
}
