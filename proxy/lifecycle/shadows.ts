import type { RouteConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { Filter } from '../pipeline/exchange.ts'
import type { Gate, GateSettings, Upstream } from '../upstreams/index.ts'
import { behind } from '../upstreams/index.ts'
import { gatesOf } from './health-plans.ts'
import type { Lend } from './leases.ts'
import type { Parts } from './parts.ts'

interface Around {
  readonly parts: Parts
  readonly metrics: Metrics
  readonly lend: Lend
  readonly gate: (settings: GateSettings) => Gate
}

/** The last step of a route whose requests are copied. */
export function shadowStep (route: RouteConfig, config: SentinelConfig, upstreams: ReadonlyMap<string, Upstream>, around: Around): Filter[] {
  const { parts: { shadow: copying }, metrics: { table }, lend, gate } = around
  const { id, shadow } = route
  if (shadow === undefined || copying === undefined) return []
  const { upstream: name, timeout, percentage, sampleHeader, bufferBody, maxBodySize, maxInFlight } = shadow
  const copies = lend(`shadow ${id}`, () => new copying.ShadowCopies(), (gone) => gone.close())
  const memory = lend('shadow bodies', () => ({ usedBytes: 0 }))
  const way = upstreams.get(name)!.forRoute({ timeouts: { requestTimeoutMs: timeout } }) // References were checked at load.
  // What becomes of copies says nothing about the route: its own breaker is not asked and not told.
  const gates = gatesOf({ ...route, circuitBreaker: undefined }, config.upstreams.find((upstream) => upstream.id === name)!)
  const underWay = table.shadowInFlight.cell(id)
  return [copying.shadowFilter({
    responder: gates.length === 0 ? way : behind(gates.map(gate), way),
    percentage,
    sampleHeader: sampleHeader === undefined ? undefined : { name: sampleHeader.name.toLowerCase(), value: sampleHeader.value },
    copiesBodies: bufferBody,
    maxBodyBytes: maxBodySize,
    maxInFlight,
  }, copies, memory, {
    began: () => underWay.set(copies.count),
    sent (outcome, ms) {
      underWay.set(copies.count)
      table.shadowRequests.cell(id, name, outcome).add()
      table.shadowDuration.cell(id).observe(ms / 1000)
    },
    skipped: (reason) => table.shadowSkipped.cell(id, reason).add(),
  })]
}
