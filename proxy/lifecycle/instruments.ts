import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { openEvidence, type Evidence } from '../evidence/evidence.ts'
import { openAccessLog, type AccessLog } from '../observe/access-log.ts'
import type { RootLog } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'

/** What watches exchanges, for one configuration. */
export interface Instruments {
  readonly observe: (x: Exchange) => void
  /** For a decision that came after its exchange was over. */
  readonly observeLate: (x: Exchange, decision: DecisionRecord) => void
  readonly evidence: Evidence | undefined
  readonly reopenLogs: () => void
  readonly release: () => void
}

/** Opens the log and evidence files that the configuration names. Rejects when one cannot be opened, and then holds nothing. */
export async function openInstruments (config: SentinelConfig, leases: Leases, log: RootLog, metrics: Metrics, version: string): Promise<Instruments> {
  const { accessLog } = config.observability
  const held: Array<Lease<unknown>> = []
  try {
    const access = accessLog.enabled ? keep(held, leases.use(canonicalKey('access-log', accessLog), () => openLog(accessLog, log), (value) => value.close())) : undefined
    const evidence = config.evidence === undefined ? undefined : await keep(held, leaseEvidence(config.evidence, leases, log, version))
    return {
      observe (x) {
        access?.record(x)
        metrics.observeExchange(x)
        evidence?.record(x)
      },
      observeLate (x, decision) {
        metrics.observeDecision(x, decision)
        evidence?.recordLate(x, decision)
      },
      evidence,
      reopenLogs: () => access?.reopen(),
      release: () => { for (const lease of held) lease.release() },
    }
  } catch (error) {
    for (const lease of held) lease.release()
    throw error
  }
}

function keep<T> (held: Array<Lease<unknown>>, lease: Lease<T>): T {
  held.push(lease)
  return lease.value
}

function openLog ({ file, format }: SentinelConfig['observability']['accessLog'], log: RootLog): AccessLog {
  return openAccessLog({
    file, format,
    onTrouble: (trouble) => log.error('the access log loses lines', { component: 'access-log', ...trouble }),
  })
}

function leaseEvidence (settings: NonNullable<SentinelConfig['evidence']>, leases: Leases, log: RootLog, version: string): Lease<Promise<Evidence>> {
  return leases.use(
    canonicalKey('evidence', settings),
    () => openEvidence({ file: settings.file, maxQueue: settings.maxQueue, log: log.child({ component: 'evidence' }), version }),
    (opening) => opening.then((evidence) => evidence.close(), () => {}), // It was never open: whoever opened it was told why.
  )
}
