import type { Metric, MetricKind, Series } from '../proto/codec/index.ts'

/** Values of labels by their names. */
export type Labels = Readonly<Record<string, string>>

/** What only grows. */
export interface Counter {
  /** `amount`: not negative; 1 unless given. */
  add (amount?: number, labels?: Labels): void
}

/** What goes up and down. */
export interface Gauge {
  /** Is this from now on. */
  set (value: number, labels?: Labels): void
  /** So much more; less when it is negative. */
  add (amount: number, labels?: Labels): void
}

/** How often values of each size were seen. */
export interface Histogram {
  /** One more value. */
  observe (value: number, labels?: Labels): void
}

/** What tells the series of a histogram apart, and where its buckets end. */
export interface HistogramOptions {
  /** Names of its labels. */
  readonly labels?: readonly string[]
  /** Upper bounds, rising. Those of seconds unless given. */
  readonly buckets?: readonly number[]
}

/**
 * Figures of the agent's own: the proxy shows them on its page, as `sentinel_agent_custom_<name>` with the agent's name as a label. Asking for the same name
 * again gives the same figure; asking for it as something else throws a TypeError. At most three labels; values that clients choose do not belong there.
 */
export interface Metrics {
  /** The name ends with "_total". */
  counter (name: string, help: string, labels?: readonly string[]): Counter
  /** The name does not end with "_total". */
  gauge (name: string, help: string, labels?: readonly string[]): Gauge
  /** The name does not end with that of a part: "_count", "_sum", "_bucket", "_total". */
  histogram (name: string, help: string, options?: HistogramOptions): Histogram
}

const secondsBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const maxMetrics = 100
/** Of all metrics together; what comes on top is counted under "(other)". */
const maxSeries = 900
const maxLabels = 3
const maxLabelChars = 128
const maxBuckets = 30
const other = '(other)'

interface Cell {
  readonly values: readonly string[]
  value: number
  readonly counts: number[]
  count: number
  sum: number
  /** The change that touched it last. */
  changed: number
}

interface Family {
  readonly name: string
  readonly help: string
  readonly kind: Exclude<MetricKind, 'unrecognized' | 'unspecified'>
  readonly labels: readonly string[]
  readonly buckets: readonly number[]
  readonly cells: Map<string, Cell>
}

export class MetricsRegistry implements Metrics {
  readonly #families = new Map<string, Family>()
  /** By source, and by name and labels. */
  readonly #absorbed = new Map<object, Map<string, Series>>()
  #series = 0
  #changes = 0

  counter (name: string, help: string, labels: readonly string[] = []): Counter {
    if (!name.endsWith('_total')) throw new TypeError(`the name of a counter ends with "_total": ${name}`)
    const family = this.#family({ name, help, kind: 'counter', labels, buckets: [] })
    return {
      add: (amount = 1, given) => {
        if (!(amount >= 0)) throw new TypeError(`a counter cannot go down: ${name} by ${amount}`)
        this.#cell(family, given).value += amount
      },
    }
  }

  gauge (name: string, help: string, labels: readonly string[] = []): Gauge {
    if (name.endsWith('_total')) throw new TypeError(`only the name of a counter ends with "_total": ${name}`)
    const family = this.#family({ name, help, kind: 'gauge', labels, buckets: [] })
    return {
      set: (value, given) => { this.#cell(family, given).value = value },
      add: (amount, given) => { this.#cell(family, given).value += amount },
    }
  }

  histogram (name: string, help: string, { labels = [], buckets = secondsBuckets }: HistogramOptions = {}): Histogram {
    if (/_(?:total|count|sum|bucket)$/.test(name)) throw new TypeError(`the name of a histogram does not end so: ${name}`)
    if (labels.includes('le')) throw new TypeError(`a histogram has a label "le" of its own: ${name}`)
    if (buckets.length > maxBuckets || buckets.some((bound, i) => !Number.isFinite(bound) || (i > 0 && bound <= buckets[i - 1]!))) {
      throw new TypeError(`the buckets of ${name} have to be rising numbers, at most ${maxBuckets}`)
    }
    const family = this.#family({ name, help, kind: 'histogram', labels, buckets })
    return {
      observe: (value, given) => {
        const cell = this.#cell(family, given)
        const at = buckets.findIndex((bound) => value <= bound)
        if (at >= 0) cell.counts[at]!++
        cell.count++
        cell.sum += value
      },
    }
  }

  /** Where changes are now: what is asked for `since` this later is what has changed after it. */
  get mark (): number {
    return this.#changes
  }

  /** Metrics with the series that have changed since then. */
  since (mark: number): Metric[] {
    const changed: Metric[] = []
    for (const { name, help, kind, labels, buckets, cells } of this.#families.values()) {
      const series: Series[] = []
      for (const cell of cells.values()) if (cell.changed > mark) series.push(seriesOf(cell, buckets))
      if (series.length > 0) changed.push({ name, help, kind, labelNames: labels, series })
    }
    return changed
  }

  /** What another registry has come to, that of a thread: only what is new since the last time is added here. */
  absorb (source: object, metrics: readonly Metric[]): void {
    const before = this.#absorbed.get(source) ?? new Map<string, Series>()
    this.#absorbed.set(source, before)
    for (const { name, help, kind, labelNames: labels, series } of metrics) {
      if (kind === 'unspecified' || kind === 'unrecognized') continue
      const family = this.#family({ name, help, kind, labels, buckets: series[0]?.buckets.map(({ upperBound }) => upperBound) ?? [] })
      for (const one of series) {
        const key = [name, ...one.labelValues].join('\0')
        addDifference(this.#cellOf(family, one.labelValues), one, before.get(key))
        before.set(key, one)
      }
    }
  }

  /** The other one is gone: what it counted stays, what it was at the moment does not. */
  forget (source: object): void {
    for (const [key, { value }] of this.#absorbed.get(source) ?? []) {
      const [name = '', ...values] = key.split('\0')
      const family = this.#families.get(name)
      if (family?.kind === 'gauge') this.#cellOf(family, values).value -= value
    }
    this.#absorbed.delete(source)
  }

  #family (wanted: Omit<Family, 'cells'>): Family {
    const { name, help, labels } = wanted
    const known = this.#families.get(name)
    if (known !== undefined) {
      if (!isSame(known, wanted)) throw new TypeError(`${name} is known already, as a ${known.kind} with the labels ${known.labels.join(', ') || 'none'}`)
      return known
    }
    if (!/^[a-z][a-z0-9_]{0,79}$/.test(name)) throw new TypeError(`the name of a metric has lower-case letters, digits and "_", not ${JSON.stringify(name)}`)
    if (help.trim() === '') throw new TypeError(`${name} needs a sentence that says what it is`)
    if (labels.length > maxLabels) throw new TypeError(`${name} has more than ${maxLabels} labels`)
    const bad = labels.find((label) => !/^[a-z][a-z0-9_]{0,39}$/.test(label) || label === 'agent')
    if (bad !== undefined) throw new TypeError(`${JSON.stringify(bad)} cannot be a label of ${name}`)
    if (this.#families.size >= maxMetrics) throw new TypeError(`an agent has at most ${maxMetrics} metrics`)
    const family: Family = { ...wanted, cells: new Map() }
    this.#families.set(name, family)
    // What has no labels is there from the start: a counter that never counted is a fact, too.
    if (labels.length === 0) this.#cell(family, undefined)
    return family
  }

  #cell (family: Family, given: Labels = {}): Cell {
    return this.#cellOf(family, family.labels.map((label) => (given[label] ?? '').slice(0, maxLabelChars)))
  }

  #cellOf (family: Family, values: readonly string[]): Cell {
    const found = family.cells.get(values.join('\0')) ?? this.#newCell(family, values)
    found.changed = ++this.#changes
    return found
  }

  #newCell (family: Family, wanted: readonly string[]): Cell {
    const values = this.#series < maxSeries ? wanted : wanted.map(() => other)
    const key = values.join('\0')
    const known = family.cells.get(key)
    if (known !== undefined) return known
    const cell: Cell = { values, value: 0, counts: family.buckets.map(() => 0), count: 0, sum: 0, changed: 0 }
    family.cells.set(key, cell)
    this.#series++
    return cell
  }
}

function addDifference (cell: Cell, now: Series, before: Series | undefined): void {
  cell.value += now.value - (before?.value ?? 0)
  cell.count += now.count - (before?.count ?? 0)
  cell.sum += now.sum - (before?.sum ?? 0)
  now.buckets.forEach(({ count }, i) => { cell.counts[i]! += count - (before?.buckets[i]?.count ?? 0) })
}

function seriesOf ({ values, value, counts, count, sum }: Cell, buckets: readonly number[]): Series {
  return { labelValues: values, value, buckets: buckets.map((upperBound, i) => ({ upperBound, count: counts[i]! })), count, sum }
}

function isSame (a: Omit<Family, 'cells'>, b: Omit<Family, 'cells'>): boolean {
  return a.kind === b.kind && a.labels.join() === b.labels.join() && a.buckets.join() === b.buckets.join()
}
