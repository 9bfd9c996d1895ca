import type { EvidenceConfig, SentinelConfig } from '../../config/sentinel/index.ts'
import type { Log } from '../observe/log.ts'
import type { MetricsPush, PushSurroundings } from '../observe/telemetry/metrics-push.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'
import { LentEvidence } from './lent-evidence.ts'
import { readVersion } from './version.ts'

/** What main has open for a configuration: the parts are loaded for those that have use for them. */
export function leaseEvidence (settings: EvidenceConfig, leases: Leases, root: Log): Lease<Promise<LentEvidence>> {
  const { file, maxQueue } = settings
  const log = root.child({ component: 'evidence' })
  return leases.use(
    canonicalKey('evidence', settings),
    () => LentEvidence.open(async () => {
      const { openEvidence } = await import('../evidence/evidence.ts')
      return openEvidence({ file, maxQueue, log, version: readVersion() })
    }, maxQueue),
    (opening) => opening.then((evidence) => evidence.close(), () => {}), // It was never open: whoever opened it was told why.
  )
}

export function leasePush (
  { observability: { metrics: { otlp } } }: SentinelConfig, leases: Leases, root: Log, figures: PushSurroundings['figures'],
): Lease<Promise<MetricsPush>> | undefined {
  if (otlp === undefined) return undefined
  const open = async (): Promise<MetricsPush> => {
    const { pushMetrics } = await import('../observe/telemetry/metrics-push.ts')
    return pushMetrics(otlp, { version: readVersion(), log: root.child({ component: 'metrics' }), figures })
  }
  return leases.use(canonicalKey('metrics push', otlp), open, (opening) => opening.then((push) => push.close(), () => {}))
}
