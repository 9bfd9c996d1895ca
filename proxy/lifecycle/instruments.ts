import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { EvidenceRecorder } from '../evidence/evidence.ts'
import { openAccessLog, type AccessLog } from '../observe/access-log.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import type { openTracing, Tracing } from '../observe/telemetry/tracing.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'
import { readVersion } from './version.ts'

/** What watches exchanges, for one configuration. */
export interface Instruments {
  readonly observe: (x: Exchange) => void
  /** `undefined` where nothing is traced. */
  readonly tracing: Pick<Tracing, 'begin'> | undefined
  /** For a decision that came after its exchange was over. */
  readonly observeLate: (x: Exchange, decision: DecisionRecord) => void
  readonly reopenLogs: () => void
  readonly release: () => void
}

export interface InstrumentSurroundings {
  readonly leases: Leases
  readonly log: Log
  readonly metrics: Metrics
  readonly evidence?: EvidenceRecorder
  /** There where requests are traced. */
  readonly openTracing?: typeof openTracing
}

/** Opens the log that the configuration names. Throws when it cannot be opened, and then holds nothing. */
export function openInstruments (config: SentinelConfig, around: InstrumentSurroundings): Instruments {
  const { leases, log, metrics, evidence } = around
  const { accessLog, metrics: { highCardinality } } = config.observability
  const count = highCardinality ? metrics.observeClosely : metrics.observeExchange
  const held: Lease<AccessLog> | undefined = accessLog.enabled
    ? leases.use(canonicalKey('access-log', accessLog), () => openLog(accessLog, log), (value) => value.close())
    : undefined
  const access = held?.value
  const traces = leaseTracing(config, around)
  const tracing = traces?.value
  const observe = (x: Exchange): void => {
    access?.record(x)
    count(x)
    evidence?.record(x)
  }
  return {
    tracing,
    observe: tracing === undefined ? observe : (x) => {
      tracing.finish(x)
      observe(x)
    },
    observeLate (x, decision) {
      metrics.observeDecision(x, decision)
      evidence?.recordLate(x, decision)
      tracing?.late(x, decision)
    },
    reopenLogs: () => access?.reopen(),
    release () {
      held?.release()
      traces?.release()
    },
  }
}

function leaseTracing (config: SentinelConfig, { leases, log, metrics, openTracing: open }: InstrumentSurroundings): Lease<Tracing> | undefined {
  const { tracing } = config.observability
  if (tracing === undefined || open === undefined) return undefined
  const make = (): Tracing => open(tracing, {
    version: readVersion(), log: log.child({ component: 'traces' }), count: (fate, spans) => metrics.table.traceSpans.cell(fate).add(spans),
  })
  return leases.use(canonicalKey('tracing', tracing), make, (value) => value.close())
}

function openLog ({ file, format }: SentinelConfig['observability']['accessLog'], log: Log): AccessLog {
  return openAccessLog({
    file, format,
    onTrouble: (trouble) => log.error('the access log loses lines', { component: 'access-log', ...trouble }),
  })
}
