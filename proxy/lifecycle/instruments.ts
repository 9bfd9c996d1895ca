import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { EvidenceRecorder } from '../evidence/evidence.ts'
import type { LineSink } from '../observe/line-sink.ts'
import type { LogRecord } from '../observe/log.ts'
import type { LogFileOptions, LogFiles } from '../observe/log-files.ts'
import type { Tails } from '../observe/tail.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'
import { requestLogs } from './request-logs.ts'

/** What watches exchanges, for one configuration. */
export interface Instruments {
  readonly observe: (x: Exchange) => void
  /** For a decision that came after its exchange was over. */
  readonly observeLate: (x: Exchange, decision: DecisionRecord) => void
  /** A process that has no main beside it has said something. */
  readonly heard: (record: LogRecord) => void
  readonly release: () => void
}

export interface InstrumentSurroundings {
  readonly leases: Leases
  readonly files: LogFiles
  readonly tails: Tails
  readonly metrics: Metrics
  readonly evidence?: EvidenceRecorder
}

type Observer = (x: Exchange) => void

/** Opens the logs that the configuration names. Throws when one cannot be opened, and then holds nothing. */
export function openInstruments (config: SentinelConfig, { leases, files, tails, metrics, evidence }: InstrumentSurroundings): Instruments {
  const held: Array<Lease<LineSink>> = []
  const release = (): void => { for (const lease of held) lease.release() }
  const open = (options: LogFileOptions): LineSink => {
    const lease = leases.use(canonicalKey('log-file', options), () => files.open(options), (sink) => files.close(sink))
    held.push(lease)
    return lease.value
  }
  try {
    const { observers: logs, audit } = requestLogs(config, open)
    const observers: Observer[] = [...logs, (x) => {
      metrics.observeExchange(x)
      if (tails.active) tails.observe(x)
    }]
    if (evidence !== undefined) observers.push((x) => evidence.record(x))
    return {
      observe: together(observers),
      observeLate (x, decision) {
        metrics.observeDecision(x, decision)
        evidence?.recordLate(x, decision)
        audit?.observeLate(x, decision)
      },
      heard: (record) => audit?.heard(record),
      release,
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Calls for the usual numbers without a loop: this runs once for each request. */
function together (all: readonly Observer[]): Observer {
  const [first, second, third] = all
  if (all.length === 1) return first!
  if (all.length === 2) return (x) => { first!(x); second!(x) }
  if (all.length === 3) return (x) => { first!(x); second!(x); third!(x) }
  return (x) => { for (const observer of all) observer(x) }
}
