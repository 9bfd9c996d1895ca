/** What a row of checks says about a target. */
export interface Verdict {
  /** `undefined` while nothing was checked: the target is asked meanwhile. */
  readonly healthy: boolean | undefined
  /** Checks in a row that say otherwise. */
  readonly against: number
}

export interface Thresholds {
  readonly healthyThreshold: number
  readonly unhealthyThreshold: number
}

export const unchecked: Verdict = { healthy: undefined, against: 0 }

/** The first check decides alone: before it, nothing is known that a single failure could be measured against. */
export function afterCheck (verdict: Verdict, healthy: boolean, { healthyThreshold, unhealthyThreshold }: Thresholds): Verdict {
  if (verdict.healthy === undefined || verdict.healthy === healthy) return { healthy, against: 0 }
  const against = verdict.against + 1
  return against >= (healthy ? healthyThreshold : unhealthyThreshold) ? { healthy, against: 0 } : { healthy: verdict.healthy, against }
}
