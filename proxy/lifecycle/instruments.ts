import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { EvidenceRecorder } from '../evidence/evidence.ts'
import { openAccessLog, type AccessLog } from '../observe/access-log.ts'
import { Comparisons } from '../observe/comparisons.ts'
import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { DecisionRecord, Exchange } from '../pipeline/exchange.ts'
import { LocalRates } from '../state/index.ts'
import { canonicalKey, type Lease, type Leases } from './leases.ts'

/** What watches exchanges, for one configuration. */
export interface Instruments {
  readonly observe: (x: Exchange) => void
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
}

/** Opens the log that the configuration names. Throws when it cannot be opened, and then holds nothing. */
export function openInstruments (config: SentinelConfig, { leases, log, metrics, evidence }: InstrumentSurroundings): Instruments {
  const { accessLog } = config.observability
  const held: Lease<AccessLog> | undefined = accessLog.enabled
    ? leases.use(canonicalKey('access-log', accessLog), () => openLog(accessLog, log), (value) => value.close())
    : undefined
  const access = held?.value
  const comparisons = comparisonsOf(config, metrics, log)
  return {
    observe (x) {
      access?.record(x)
      comparisons?.over(x)
      metrics.observeExchange(x)
      evidence?.record(x)
    },
    observeLate (x, decision) {
      metrics.observeDecision(x, decision)
      comparisons?.late(x, decision)
      evidence?.recordLate(x, decision)
    },
    reopenLogs: () => access?.reopen(),
    release: () => held?.release(),
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

function openLog ({ file, format }: SentinelConfig['observability']['accessLog'], log: Log): AccessLog {
  return openAccessLog({
    file, format,
    // What a schema finds and lets pass is seen nowhere else.
    attributes: ['schema.violations'],
    onTrouble: (trouble) => log.error('the access log loses lines', { component: 'access-log', ...trouble }),
  })
}
