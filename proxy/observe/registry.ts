/**
 * Counters, gauges and histograms, and the text Prometheus reads (exposition format 0.0.4).
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

/** One series of a histogram. */
export class HistogramCell {
  readonly #bounds: readonly number[]
  readonly counts: Float64Array
  sum = 0
  count = 0

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

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** All families as text. A family without series is left out. */
export function expose (families: readonly AnyFamily[]): string {
  let text = ''
  for (const family of families) {
    const { name, kind, help, labels, buckets } = family.declaration
    if (family.series().length === 0) continue
    text += `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
    for (const { values, cell } of family.series()) {
      const pairs = labels.map((label, i) => `${label}="${escapeValue(values[i] ?? '')}"`)
      if (cell instanceof HistogramCell) text += histogramText(name, pairs, cell, buckets ?? [])
      else text += `${name}${braces(pairs)} ${numberText(cell.value)}\n`
    }
  }
  return text
}

function histogramText (name: string, pairs: string[], cell: HistogramCell, bounds: readonly number[]): string {
  let text = ''
  let below = 0
  bounds.forEach((bound, i) => {
    below += cell.counts[i] ?? 0
    text += `${name}_bucket${braces([...pairs, `le="${numberText(bound)}"`])} ${below}\n`
  })
  return `${text}${name}_bucket${braces([...pairs, 'le="+Inf"'])} ${cell.count}\n` +
    `${name}_sum${braces(pairs)} ${numberText(cell.sum)}\n${name}_count${braces(pairs)} ${cell.count}\n`
}

function braces (pairs: readonly string[]): string {
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escapeValue (value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function numberText (value: number): string {
  if (value === Infinity) return '+Inf'
  if (value === -Infinity) return '-Inf'
  return Number.isNaN(value) ? 'NaN' : String(value)
}
