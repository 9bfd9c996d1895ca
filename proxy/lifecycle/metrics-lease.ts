import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { AnyFamily } from '../observe/registry.ts'
import type { MetricsPush } from '../observe/telemetry/metrics-push.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'
import { readVersion } from './version.ts'

export type PushLease = Lease<Promise<MetricsPush>>

/** Figures on their way to the collector that the configuration names; `undefined` without one. */
export function leasePush (config: SentinelConfig, leases: Leases, log: Log, figures: () => Promise<readonly AnyFamily[]>): PushLease | undefined {
  const { otlp } = config.observability.metrics
  if (otlp === undefined) return undefined
  const open = async (): Promise<MetricsPush> => {
    const { pushMetrics } = await import('../observe/telemetry/metrics-push.ts')
    return pushMetrics(otlp, { version: readVersion(), log: log.child({ component: 'metrics' }), figures })
  }
  return leases.use(canonicalKey('metrics push', otlp), open, (opening) => opening.then((push) => push.close(), () => {}))
}
