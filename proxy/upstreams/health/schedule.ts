/**
 * Checks of a target begin at a moment of its own within the first interval, and each further one is up to a tenth of the interval early or late: a
 * hundred targets, or a hundred proxies that were started together, do not all ask at once.
 */
export function firstCheckMs (intervalMs: number, random: () => number): number {
  return Math.min(intervalMs, soonMs) * random()
}

export function nextCheckMs (intervalMs: number, random: () => number): number {
  return intervalMs * (0.9 + 0.2 * random())
}

/** The first ones do not wait for a whole interval of minutes: what is down is to be known early. */
const soonMs = 1_000
