import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { EvidenceRecorder } from '../evidence/evidence.ts'
import type { LineSink } from '../observe/line-sink.ts'
import type { LogFileOptions, LogFiles } from '../observe/log-files.ts'
import { Comparisons } from '../observe/comparisons.ts'
import type { Log, LogRecord } from '../observe/log.ts'
import type { Tails } from '../observe/tail.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import type { openTracing, Tracing } from '../observe/telemetry/tracing.ts'
import { LocalRates } from '../state/index.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'
import { instanceOf } from './upstream-settings.ts'
import { requestLogs } from './request-logs.ts'
import { readVersion } from './version.ts'

/** What watches exchanges, for one configuration. */
export interface Instruments {
  readonly observe: (x: Exchange) => void
  /** `undefined` where nothing is traced. */
  readonly tracing: Pick<Tracing, 'begin'> | undefined
  /** For a decision that came after its exchange was over. */
  readonly observeLate: (x: Exchange, decision: DecisionRecord) => void
  /** A process that has no main beside it has said something. */
  readonly heard: (record: LogRecord) => void
  readonly release: () => void
}

export interface InstrumentSurroundings {
  readonly leases: Leases
  readonly log: Log
  readonly files: LogFiles
  readonly tails: Tails
  readonly metrics: Metrics
  readonly env: Readonly<Record<string, string | undefined>>
  readonly evidence?: EvidenceRecorder
  /** There where requests are traced. */
  readonly openTracing?: typeof openTracing
}

type Observer = (x: Exchange) => void

/** Opens the logs that the configuration names. Throws when one cannot be opened, and then holds nothing. */
export function openInstruments (config: SentinelConfig, around: InstrumentSurroundings): Instruments {
  const { leases, files, tails, metrics, evidence } = around
  const held: Array<Lease<unknown>> = []
  const release = (): void => { for (const lease of held) lease.release() }
  const open = (options: LogFileOptions): LineSink => {
    const lease = leases.use(canonicalKey('log-file', options), () => files.open(options), (sink) => files.close(sink))
    held.push(lease)
    return lease.value
  }
  try {
    const traces = leaseTracing(config, around)
    if (traces !== undefined) held.push(traces)
    const tracing = traces?.value
    const count = config.observability.metrics.highCardinality ? metrics.observeClosely : metrics.observeExchange
    const { observers: logs, audit } = requestLogs(config, instanceOf(config, around.env), open)
    const observers: Observer[] = [...tracing === undefined ? [] : [tracing.finish], ...logs, (x) => {
      count(x)
      if (tails.active) tails.observe(x)
    }]
    const comparisons = comparisonsOf(config, metrics, around.log)
    if (comparisons !== undefined) observers.push((x) => comparisons.over(x))
    if (evidence !== undefined) observers.push((x) => evidence.record(x))
    return {
      tracing,
      observe: together(observers),
      observeLate (x, decision) {
        metrics.observeDecision(x, decision)
        comparisons?.late(x, decision)
        evidence?.recordLate(x, decision)
        audit?.observeLate(x, decision)
        tracing?.late(x, decision)
      },
      heard: (record) => audit?.heard(record),
      release,
    }
  } catch (error) {
    release()
    throw error
  }
}

/** Differences that are written into the log in a second; all of them are counted. */
const maxToldPerSecond = 10

function comparisonsOf ({ agents }: SentinelConfig, { table }: Metrics, log: Log): Comparisons | undefined {
  const pairs = new Map(agents.flatMap(({ id, against }) => against === undefined ? [] : [[id, against] as const]))
  if (pairs.size === 0) return undefined
  const room = new LocalRates({ perSecond: maxToldPerSecond, burst: maxToldPerSecond - 1, maxKeys: 1 })
  return new Comparisons(pairs, (x, { agent, against, phase }, difference) => {
    table.agentComparisons.cell(agent, against, phase, difference === undefined ? 'same' : 'different').add()
    if (difference === undefined || !room.take('', performance.now(), 0).allowed) return
    const { said, otherSaid } = difference
    log.info(`agents '${agent}' and '${against}' decide differently: ${said}, ${otherSaid}`, {
      component: 'agent', event: 'agents-differ', agent, against, phase, said, other_said: otherSaid, request_id: x.id, route: x.route?.name ?? '',
    })
  })
}

function leaseTracing (config: SentinelConfig, { leases, log, metrics, openTracing: open }: InstrumentSurroundings): Lease<Tracing> | undefined {
  const { tracing } = config.observability
  if (tracing === undefined || open === undefined) return undefined
  const make = (): Tracing => open(tracing, {
    version: readVersion(), log: log.child({ component: 'traces' }), count: (fate, spans) => metrics.table.traceSpans.cell(fate).add(spans),
  })
  return leases.use(canonicalKey('tracing', tracing), make, (value) => value.close())
}

/** Calls for the usual numbers without a loop: this runs once for each request. */
function together (all: readonly Observer[]): Observer {
  const [first, second, third] = all
  if (all.length === 1) return first!
  if (all.length === 2) return (x) => { first!(x); second!(x) }
  if (all.length === 3) return (x) => { first!(x); second!(x); third!(x) }
  return (x) => { for (const observer of all) observer(x) }
}
