/**
 * Counters, gauges and histograms.
 *
 * Our own, because the request path asks for a series of up to four labels several times per request: a lookup walks one map per
 * label and allocates nothing once the series exists (test/bench/metrics.bench.ts).
 */

export type Kind = 'counter' | 'gauge' | 'histogram'

export interface Declaration {
  readonly name: string
  readonly kind: Kind
  readonly help: string
  /** At most four. */
  readonly labels: readonly string[]
  /** Upper bounds of a histogram, ascending, without +Inf. */
  readonly buckets?: readonly number[]
  /** Series beyond are counted under "(other)". */
  readonly maxSeries?: number
}

export const OTHER = '(other)'
const DEFAULT_MAX_SERIES = 2_000

/** One series of a counter or gauge. */
export class Cell {
  value = 0

  add (amount = 1): void {
    this.value += amount
  }

  set (value: number): void {
    this.value = value
  }
}

/** One observation that can be looked at: the trace it was made in. */
export interface Exemplar {
  readonly traceId: string
  readonly value: number
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** One series of a histogram. */
export class HistogramCell {
  readonly #bounds: readonly number[]
  /** Of each bucket on its own, not of those below. */
  readonly counts: Float64Array
  sum = 0
  count = 0
  /** The latest of each bucket, +Inf being the last; `undefined` where nothing is traced. */
  exemplars: Array<Exemplar | undefined> | undefined = undefined

  constructor (bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length)
  }

  observe (value: number): void {
    this.sum += value
    this.count++
    const bounds = this.#bounds
    for (let i = 0; i < bounds.length; i++) {
      if (value > bounds[i]!) continue
      this.counts[i]!++
      return
    }
  }

  /** As `observe`, in a trace that somebody collects. */
  observeIn (traceId: string, value: number, atMs: number): void {
    this.observe(value)
    this.exemplify({ traceId, value, atMs })
  }

  exemplify (exemplar: Exemplar): void {
    const at = this.#bounds.findIndex((bound) => exemplar.value <= bound)
    ;(this.exemplars ??= [])[at < 0 ? this.#bounds.length : at] = exemplar
  }
}

type Level<C> = Map<string, Level<C> | C>

/** All series of one metric. */
export class Family<C extends Cell | HistogramCell> {
  readonly declaration: Declaration
  readonly #make: () => C
  readonly #index: Level<C> = new Map()
  readonly #series: { readonly values: readonly string[], readonly cell: C }[] = []
  /** Lookups that ended in "(other)" because there were too many series. */
  overflowed = 0

  constructor (declaration: Declaration, make: () => C) {
    if (declaration.labels.length > 4) throw new Error(`${declaration.name}: more than four labels`)
    this.declaration = declaration
    this.#make = make
    if (declaration.labels.length === 0) this.cell()
  }

  /** The series with these label values, in the order of the declaration. Made when it is new. */
  cell (a = '', b = '', c = '', d = ''): C {
    const depth = this.declaration.labels.length
    let level: Level<C> = this.#index
    for (let i = 0; i < depth - 1; i++) {
      const next = level.get(i === 0 ? a : i === 1 ? b : c)
      // The levels above the last hold maps only.
      if (!(next instanceof Map)) return this.#create(a, b, c, d)
      level = next
    }
    const found = level.get(depth <= 1 ? a : depth === 2 ? b : depth === 3 ? c : d)
    return found === undefined || found instanceof Map ? this.#create(a, b, c, d) : found
  }

  /** Forgets every series, for gauges that are told anew at each scrape. */
  clear (): void {
    this.#index.clear()
    this.#series.length = 0
  }

  /** Series in the order they were made. */
  series (): readonly { readonly values: readonly string[], readonly cell: C }[] {
    return this.#series
  }

  #create (...given: string[]): C {
    const { labels, maxSeries = DEFAULT_MAX_SERIES } = this.declaration
    let values = given.slice(0, Math.max(labels.length, 1))
    if (this.#series.length >= maxSeries) {
      this.overflowed++
      values = values.map(() => OTHER)
    }
    let level = this.#index
    for (const value of values.slice(0, -1)) {
      let next = level.get(value)
      if (!(next instanceof Map)) level.set(value, next = new Map())
      level = next
    }
    const last = values.at(-1) ?? ''
    const existing = level.get(last)
    if (existing !== undefined && !(existing instanceof Map)) return existing
    const cell = this.#make()
    level.set(last, cell)
    this.#series.push({ values: values.slice(0, labels.length), cell })
    return cell
  }
}

export type AnyFamily = Family<Cell> | Family<HistogramCell>

export function counterOrGauge (declaration: Declaration): Family<Cell> {
  return new Family(declaration, () => new Cell())
}

export function histogram (declaration: Declaration): Family<HistogramCell> {
  const bounds = declaration.buckets ?? []
  return new Family(declaration, () => new HistogramCell(bounds))
}
