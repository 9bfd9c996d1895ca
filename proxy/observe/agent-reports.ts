import type { AgentReport, Metric, Series } from '../../proto/codec/index.ts'
import { Family, Cell, HistogramCell, type AnyFamily } from './registry.ts'

/** What is known of an agent by its own account. */
export interface AgentVitals {
  readonly health: 'serving' | 'degraded' | 'draining'
  readonly detail: string
  /** Of all its processes. */
  readonly openExchanges: number
  readonly queued: number
  readonly answered: number
  readonly failed: number
  /** Mean time from a question's arrival there to its answer; absent until one was timed. */
  readonly meanMs: number | undefined
  readonly processes: number
}

export interface ReportHooks {
  /** A metric that is not taken, once for each name. */
  refused (agent: string, metric: string, why: string): void
  readonly now?: () => number
}

/** One process of an agent: the latest of what it said. */
interface Instance {
  report: AgentReport
  atMs: number
  readonly series: Map<string, Map<string, Series>>
}

interface Declared {
  readonly kind: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels: readonly string[]
  readonly bounds: readonly number[]
}

interface Known {
  readonly instances: Map<string, Instance>
  /** What processes counted that are forgotten. */
  readonly past: { answered: number, failed: number, timed: number, timedSeconds: number, readonly series: Map<string, Map<string, Series>> }
  readonly refused: Set<string>
}

export const customPrefix = 'sentinel_agent_custom_'

const awayMs = 10_000
/** Processes of one agent that are remembered; what more of them counted is kept as a sum. */
const maxInstances = 64
const maxMetrics = 100
const maxSeries = 1_000
const maxLabels = 3
const maxLabelChars = 128
const maxHelpChars = 300
const maxBuckets = 30
const maxRefusalsTold = 20

/**
 * Reports of agents, by agent and by process: each worker hears the same from each connection, and a process counts from its own start. So what counts is
 * the latest of each process, and the sum over all of them that ever were never falls.
 */
export class AgentReports {
  readonly #agents = new Map<string, Known>()
  /** A name means one thing, whoever uses it. */
  readonly #declared = new Map<string, Declared>()
  readonly #hooks: ReportHooks
  readonly #now: () => number

  constructor (hooks: ReportHooks) {
    this.#hooks = hooks
    this.#now = hooks.now ?? (() => performance.now())
  }

  take (agent: string, report: AgentReport): void {
    if (report.instance === '' || report.instance.length > 64) return
    const known = this.#agents.get(agent) ?? newAgent()
    this.#agents.set(agent, known)
    const before = known.instances.get(report.instance)
    const instance: Instance = before ?? { report, atMs: 0, series: new Map() }
    // Those of two connections may overtake each other.
    instance.report = before === undefined || report.answered >= before.report.answered ? report : { ...before.report, health: report.health }
    instance.atMs = this.#now()
    known.instances.delete(report.instance)
    known.instances.set(report.instance, instance)
    for (const metric of report.metrics) this.#takeMetric(agent, known, instance, metric)
    const [oldest] = known.instances.keys()
    if (known.instances.size > maxInstances && oldest !== undefined) this.#putBehind(known, oldest)
  }

  /** It is in no configuration any more. */
  forget (stays: ReadonlySet<string>): void {
    let gone = false
    for (const agent of this.#agents.keys()) if (!stays.has(agent)) gone = this.#agents.delete(agent)
    if (!gone) return
    // A name that nobody uses any more may mean something else from now on.
    const used = new Set<string>()
    for (const { instances, past } of this.#agents.values()) {
      for (const { series } of [past, ...instances.values()]) for (const name of series.keys()) used.add(name)
    }
    for (const name of this.#declared.keys()) if (!used.has(name)) this.#declared.delete(name)
  }

  vitals (agent: string): AgentVitals | undefined {
    const known = this.#agents.get(agent)
    if (known === undefined) return undefined
    const here = this.#present(known)
    const all = [...known.instances.values()].map(({ report }) => report)
    const sum = (of: (report: AgentReport) => number, reports: readonly AgentReport[]): number => reports.reduce((total, report) => total + of(report), 0)
    const timed = known.past.timed + sum((report) => report.timed, all)
    const worst = here.find(({ health }) => health === 'degraded') ?? here.find(({ health }) => health !== 'draining') ?? here[0]
    return {
      health: worst?.health === 'degraded' || worst?.health === 'draining' ? worst.health : 'serving',
      detail: worst?.health === 'degraded' ? worst.detail.slice(0, 200) : '',
      openExchanges: sum((report) => report.openExchanges, here),
      queued: sum((report) => report.queued, here),
      answered: known.past.answered + sum((report) => report.answered, all),
      failed: known.past.failed + sum((report) => report.failed, all),
      meanMs: timed === 0 ? undefined : (known.past.timedSeconds + sum((report) => report.timedSeconds, all)) / timed * 1000,
      processes: here.length,
    }
  }

  /** The agents' own metrics, with the agent as the first label. */
  families (): AnyFamily[] {
    return [...this.#declared].flatMap(([name, declared]) => {
      const { kind, help, labels, bounds } = declared
      const declaration = { name: customPrefix + name, kind, help, labels: ['agent', ...labels], buckets: bounds, maxSeries: Infinity }
      const family: AnyFamily = kind === 'histogram' ? new Family(declaration, () => new HistogramCell(bounds)) : new Family(declaration, () => new Cell())
      for (const [agent, known] of this.#agents) for (const series of this.#seriesOf(known, name, kind)) addSeries(family, agent, series)
      return family.series().length > 0 ? [family] : []
    })
  }

  #seriesOf (known: Known, name: string, kind: Declared['kind']): Series[] {
    // A gauge of a process that is gone says nothing; what it counted was counted.
    const limit = kind === 'gauge' ? this.#now() - awayMs : -Infinity
    const present = [...known.instances.values()].filter(({ atMs }) => atMs >= limit).flatMap(({ series }) => [...series.get(name)?.values() ?? []])
    return kind === 'gauge' ? present : [...known.past.series.get(name)?.values() ?? [], ...present]
  }

  #present ({ instances }: Known): AgentReport[] {
    const limit = this.#now() - awayMs
    return [...instances.values()].filter(({ atMs }) => atMs >= limit).map(({ report }) => report)
  }

  #takeMetric (agent: string, known: Known, instance: Instance, metric: Metric): void {
    const why = this.#wrong(metric) ?? (instance.series.has(metric.name) || instance.series.size < maxMetrics ? undefined : `an agent has at most ${maxMetrics} metrics`)
    if (why !== undefined) return this.#refuse(agent, known, metric.name, why)
    const { name, help, labelNames: labels } = metric
    const kind = metric.kind as Declared['kind'] // It is one of these, or wrong.
    if (!this.#declared.has(name)) this.#declared.set(name, { kind, help: help.slice(0, maxHelpChars), labels, bounds: boundsOf(metric) })
    const mine = instance.series.get(name) ?? new Map<string, Series>()
    instance.series.set(name, mine)
    let room = maxSeries - [...instance.series.values()].reduce((sum, { size }) => sum + size, 0)
    for (const given of metric.series) {
      const labelValues = given.labelValues.map((value) => value.slice(0, maxLabelChars))
      const key = labelValues.join('\0')
      const before = mine.get(key)
      if (before === undefined && room-- <= 0) return this.#refuse(agent, known, name, `an agent has at most ${maxSeries} series`)
      // What is counted never falls, whichever of two reports came first.
      if (before === undefined || kind === 'gauge' || given.value > before.value || given.count > before.count) mine.set(key, { ...given, labelValues })
    }
  }

  /** Why it is not taken. */
  #wrong (metric: Metric): string | undefined {
    const { name, help, kind, labelNames, series } = metric
    if (!/^[a-z][a-z0-9_]{0,79}$/.test(name)) return 'its name has other characters than lower-case letters, digits and "_"'
    if (kind !== 'counter' && kind !== 'gauge' && kind !== 'histogram') return 'it is of no known kind'
    if ((kind === 'counter') !== name.endsWith('_total')) return 'the name of a counter ends with "_total", and that of nothing else does'
    if (kind === 'histogram' && /_(?:count|sum|bucket)$/.test(name)) return 'the name of a histogram ends with the name of one of its parts'
    if (help.trim() === '') return 'it does not say what it is'
    if (labelNames.length > maxLabels) return `it has more than ${maxLabels} labels`
    if (new Set(labelNames).size < labelNames.length || labelNames.some((label) => !/^[a-z][a-z0-9_]{0,39}$/.test(label) || label === 'agent' || label === 'le')) return 'it has a label of a name that cannot be'
    if (series.some((one) => one.labelValues.length !== labelNames.length)) return 'a series has another number of labels'
    if (series.some((one) => !isSound(one, kind))) return 'a series has a value that cannot be'
    const bounds = boundsOf(metric)
    if (kind === 'histogram' && series.some(({ buckets }) => !isSame(buckets.map(({ upperBound }) => upperBound), bounds))) return 'its series have different buckets'
    const known = this.#declared.get(name)
    if (known === undefined) return this.#declared.size >= maxMetrics * 10 ? 'there are too many metrics of agents' : undefined
    const same = known.kind === kind && isSame(known.labels, labelNames) && isSame(known.bounds, bounds)
    return same ? undefined : `it is known as a ${known.kind} with ${known.labels.length === 0 ? 'no labels' : `the labels ${known.labels.join(', ')}`}${kind === 'histogram' ? ', or other buckets' : ''}`
  }

  #refuse (agent: string, known: Known, name: string, why: string): void {
    const told = name.slice(0, 80)
    if (known.refused.has(told) || known.refused.size >= maxRefusalsTold) return
    known.refused.add(told)
    this.#hooks.refused(agent, told, why)
  }

  /** Its counts are kept, and nobody knows any more whose they were. */
  #putBehind ({ instances, past }: Known, id: string): void {
    const { report, series } = instances.get(id)!
    instances.delete(id)
    past.answered += report.answered
    past.failed += report.failed
    past.timed += report.timed
    past.timedSeconds += report.timedSeconds
    for (const [name, those] of series) {
      if (this.#declared.get(name)?.kind === 'gauge') continue
      const kept = past.series.get(name) ?? new Map<string, Series>()
      past.series.set(name, kept)
      for (const [key, one] of those) kept.set(key, sumOf(kept.get(key), one))
    }
  }
}

function newAgent (): Known {
  return { instances: new Map(), past: { answered: 0, failed: 0, timed: 0, timedSeconds: 0, series: new Map() }, refused: new Set() }
}

function boundsOf ({ series: [first] }: Metric): number[] {
  return first?.buckets.map(({ upperBound }) => upperBound) ?? []
}

function isSound ({ value, buckets, count, sum }: Series, kind: string): boolean {
  if (!Number.isFinite(value) || !Number.isFinite(sum)) return false
  if (kind === 'counter') return value >= 0
  if (kind === 'gauge') return true
  const rising = buckets.every(({ upperBound }, i) => Number.isFinite(upperBound) && (i === 0 || upperBound > buckets[i - 1]!.upperBound))
  return buckets.length <= maxBuckets && rising && buckets.reduce((total, bucket) => total + bucket.count, 0) <= count
}

function isSame<T> (a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i])
}

function sumOf (a: Series | undefined, b: Series): Series {
  if (a === undefined) return b
  const buckets = b.buckets.map(({ upperBound, count }, i) => ({ upperBound, count: count + (a.buckets[i]?.count ?? 0) }))
  return { labelValues: b.labelValues, value: a.value + b.value, buckets, count: a.count + b.count, sum: a.sum + b.sum }
}

function addSeries (family: AnyFamily, agent: string, { labelValues, value, buckets, count, sum }: Series): void {
  const cell = family.cell(agent, ...labelValues)
  if (!(cell instanceof HistogramCell)) return cell.add(value)
  buckets.forEach((bucket, i) => { cell.counts[i]! += bucket.count })
  cell.count += count
  cell.sum += sum
}
