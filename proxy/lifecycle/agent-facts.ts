import type { AgentJson } from '../admin/agents-json.ts'
import type { StatusJson } from '../admin/status.ts'
import type { AgentClient } from '../decisions/index.ts'
import { Cell, HistogramCell, type AnyFamily } from '../observe/registry.ts'
import { scrubText } from '../observe/redact.ts'
import type { PathFacts } from './seam.ts'

/** What one process says of an agent as somebody it talks to. Plain data. */
export interface TalkFacts {
  readonly version: string
  readonly configVersion: string
  readonly inFlight: number
  readonly queued: number
  /** `undefined` for an agent that has none. */
  readonly breaker: 'closed' | 'half-open' | 'open' | undefined
  readonly calls: number
  readonly protocolFaults: number
  readonly reconnects: number
  readonly lastFailure: { readonly code: string, readonly detail: string, readonly atMs: number } | undefined
}

const neverTalked: TalkFacts = {
  version: '', configVersion: '', inFlight: 0, queued: 0, breaker: undefined, calls: 0, protocolFaults: 0, reconnects: 0, lastFailure: undefined,
}

export function talkFacts ({ describe, configVersion, inFlight, queued, breakerState, counters }: AgentClient): TalkFacts {
  const { calls, protocolFaults, reconnects, lastFailure } = counters
  return {
    version: describe?.version ?? '', configVersion, inFlight, queued, breaker: breakerState,
    calls, protocolFaults: sum(protocolFaults), reconnects, lastFailure,
  }
}

/** Of two processes, as one: what is counted adds up, and a breaker is as open as where it is most. */
export function addTalk (one: TalkFacts, other: TalkFacts): TalkFacts {
  const [last, before] = [one.lastFailure, other.lastFailure]
  return {
    version: one.version === '' ? other.version : one.version,
    configVersion: one.configVersion === '' ? other.configVersion : one.configVersion,
    inFlight: one.inFlight + other.inFlight,
    queued: one.queued + other.queued,
    breaker: openness.findLast((state) => state === one.breaker || state === other.breaker),
    calls: one.calls + other.calls,
    protocolFaults: one.protocolFaults + other.protocolFaults,
    reconnects: one.reconnects + other.reconnects,
    lastFailure: last === undefined || before !== undefined && before.atMs > last.atMs ? before : last,
  }
}

const openness: ReadonlyArray<NonNullable<TalkFacts['breaker']>> = ['closed', 'half-open', 'open']

function sum (counts: Readonly<Partial<Record<string, number>>>): number {
  return Object.values(counts).reduce<number>((total, count = 0) => total + count, 0)
}

/** How agents do, all processes together. */
export function agentsJson ({ agents }: StatusJson, path: PathFacts, families: readonly AnyFamily[]): AgentJson[] {
  return agents.map(({ id, state, managed, pid, restarts, mode, failure_mode, problem }) => {
    const talk = path.agents.get(id)?.talk ?? neverTalked
    const last = talk.lastFailure
    return {
      id, state, managed, pid, restarts, mode, failure_mode,
      version: talk.version, config_version: talk.configVersion, in_flight: talk.inFlight, queued: talk.queued, breaker: talk.breaker ?? null,
      calls: talk.calls, failures: failuresOf(id, families), protocol_faults: talk.protocolFaults, reconnects: talk.reconnects,
      latency_ms: latencyOf(id, families),
      ...problem === undefined ? {} : { problem },
      ...last === undefined ? {} : { last_failure: { code: last.code, detail: scrubText(last.detail), at: new Date(last.atMs).toISOString() } },
    }
  })
}

/** Of the metric: a reply that came and could not be applied is a failure, too, and so is nobody being there. */
function failuresOf (agent: string, families: readonly AnyFamily[]): number {
  const family = families.find(({ declaration }) => declaration.name === failed)
  return (family?.series() ?? []).reduce((total, { values, cell }) => values[0] === agent && cell instanceof Cell ? total + cell.value : total, 0)
}

const failed = 'sentinel_agent_failures_total'
const latency = 'sentinel_agent_latency_seconds'

/** From asking to applying, since the start; `null` before there was anything. Quantiles are read off the buckets of the metric. */
function latencyOf (agent: string, families: readonly AnyFamily[]): AgentJson['latency_ms'] {
  const family = families.find(({ declaration }) => declaration.name === latency)
  const cells = (family?.series() ?? []).flatMap(({ values, cell }) => values[0] === agent && cell instanceof HistogramCell ? [cell] : [])
  const count = cells.reduce((total, cell) => total + cell.count, 0)
  if (family === undefined || count === 0) return null
  const bounds = family.declaration.buckets ?? []
  const counts = bounds.map((_, i) => cells.reduce((total, cell) => total + cell.counts[i]!, 0)) // One for each bound.
  const ms = (seconds: number): number => Math.round(seconds * 1e6) / 1e3
  const [p50, p99] = [quantile(0.5, count, bounds, counts), quantile(0.99, count, bounds, counts)]
  return { mean: ms(cells.reduce((total, cell) => total + cell.sum, 0) / count), p50: ms(p50), p99: ms(p99) }
}

/** Within its bucket a value is taken to be anywhere with the same chance; beyond the last one it is told as that one's bound. */
export function quantile (share: number, count: number, bounds: readonly number[], counts: readonly number[]): number {
  const rank = share * count
  let below = 0
  for (const [i, inBucket] of counts.entries()) {
    const from = i === 0 ? 0 : bounds[i - 1]!
    if (inBucket > 0 && below + inBucket >= rank) return from + (bounds[i]! - from) * (rank - below) / inBucket
    below += inBucket
  }
  return bounds.at(-1) ?? 0
}
