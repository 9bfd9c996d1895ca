/** Many proxies that were started together must not ask together: somewhat less or more than the interval. @param random From 0 to 1. */
export function againIn (intervalMs: number, random: number): number {
  return intervalMs * (0.9 + 0.2 * random)
}

/** After this many failures in a row: from half a second, doubled each time, up to the interval or half a minute, whichever is longer. */
export function retryIn (failures: number, intervalMs: number, random: number): number {
  const most = Math.max(intervalMs, 30_000)
  const ms = Math.min(most, 500 * 2 ** Math.min(failures - 1, 20))
  return ms * (0.5 + 0.5 * random)
}
