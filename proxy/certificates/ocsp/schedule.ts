import type { Answer } from './answer.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs

/** Until the next question: half of the time that is left, a little sooner or later, so that not all certificates ask at once. `chance` is in [0, 1). */
export function refreshMs ({ nextUpdate }: Pick<Answer, 'nextUpdate'>, now: number, chance: number): number {
  const left = nextUpdate === undefined ? hourMs : nextUpdate - now
  return Math.min(12 * hourMs, Math.max(minuteMs, left * (0.4 + 0.2 * chance)))
}

/** After so many failures in a row: from half a minute up to an hour. */
export function backOffMs (failures: number, chance: number): number {
  return Math.min(hourMs, minuteMs * 2 ** Math.min(10, failures - 1)) * (0.5 + 0.5 * chance)
}
