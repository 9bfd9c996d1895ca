export interface RespawnState {
  /** Deaths in a row, each soon after the last. */
  readonly inARow: number
  readonly pauseMs: number
}

/** Whoever lived this long was healthy. */
const stableMs = 10_000
const firstPauseMs = 50
const longestPauseMs = 5_000

export const neverDied: RespawnState = { inARow: 0, pauseMs: 0 }

/** What follows a death: the first replacement is started at once, and those that keep dying after longer and longer pauses. `random`: 0 to 1. */
export function afterDeath (before: RespawnState, livedMs: number, random: number): RespawnState {
  const inARow = livedMs > stableMs ? 1 : before.inARow + 1
  const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (inARow - 2))
  return { inARow, pauseMs: inARow === 1 ? 0 : Math.round(longest * (0.5 + random / 2)) }
}
