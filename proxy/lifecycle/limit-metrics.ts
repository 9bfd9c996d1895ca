import type { MetricTable } from '../observe/metrics-table.ts'
import type { LimitInUse } from './rate-limits.ts'

/** Says what limits of the configuration in use did, right before it is read. */
export function tellLimits (table: MetricTable, limits: ReadonlyMap<string, LimitInUse>): void {
  const { rateLimitHits, rateLimitAllowed, rateLimitDelayed, rateLimitKeys, rateLimitEvictions, rateLimitUnknown } = table
  for (const family of [rateLimitHits, rateLimitAllowed, rateLimitDelayed, rateLimitKeys, rateLimitEvictions, rateLimitUnknown]) family.clear()
  for (const { scope, name, route, tally, counts } of limits.values()) {
    rateLimitHits.cell(scope, name, route).set(tally.limited)
    rateLimitAllowed.cell(scope, name, route).set(tally.allowed)
    rateLimitDelayed.cell(scope, name, route).set(tally.delayed)
    rateLimitKeys.cell(scope, name).set(counts.keys)
    rateLimitEvictions.cell(scope, name).set(counts.evicted)
    if (counts.failed !== undefined) rateLimitUnknown.cell(scope, name).set(counts.failed)
  }
}
