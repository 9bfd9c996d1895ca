import type { MetricTable } from '../observe/metrics-table.ts'
import type { Upstream } from '../upstreams/index.ts'

/** Says how the targets of the configuration in use do, right before it is read. Those that have left are gone. */
export function tellTargets (table: MetricTable, upstreams: ReadonlyMap<string, Upstream>): void {
  const { targetPicks, targetInFlight, targetConnections, targetIdle, targetOpened, targetWaiting, targetWeight, upstreamPanic } = table
  for (const family of [targetPicks, targetInFlight, targetConnections, targetIdle, targetOpened, targetWaiting, targetWeight, upstreamPanic]) family.clear()
  for (const [upstream, { targets, set }] of upstreams) {
    upstreamPanic.cell(upstream).set(set.panic ? 1 : 0)
    for (const { name, picks, inFlight, connections, idle, opened, waiting, weight } of targets) {
      targetPicks.cell(upstream, name).set(picks)
      targetInFlight.cell(upstream, name).set(inFlight)
      targetConnections.cell(upstream, name).set(connections)
      targetIdle.cell(upstream, name).set(idle)
      targetOpened.cell(upstream, name).set(opened)
      targetWaiting.cell(upstream, name).set(waiting)
      targetWeight.cell(upstream, name).set(weight)
    }
  }
}
