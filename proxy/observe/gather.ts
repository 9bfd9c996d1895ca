import { metricTable, type MetricTable } from './metrics-table.ts'
import { HistogramCell, type AnyFamily, type Cell, type Exemplar } from './registry.ts'

type FamilyName = keyof MetricTable

/** What one series has come to since it was told last; of a gauge, what it is. */
type Amount = number | Observed

interface Observed {
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
  readonly exemplars?: ReadonlyArray<Exemplar | undefined>
}

/** Plain data: what several processes count, on its way to the one that tells. */
export interface Counts {
  readonly counted: ReadonlyArray<readonly [family: FamilyName, labels: readonly string[], amount: Amount]>
  readonly gauges: ReadonlyArray<readonly [family: FamilyName, labels: readonly string[], value: number]>
}

/** Known to the process that tells them, and to no other. */
const ofOneProcess: ReadonlySet<FamilyName> = new Set<FamilyName>([
  'up', 'buildInfo', 'startTime', 'configReloads', 'configReloadTime', 'evidenceRecords', 'evidenceDropped', 'evidenceQueue', 'evidenceFailing',
  'agentHealth', 'agentOpenExchanges', 'agentQueued', 'agentAnswered', 'agentMeanSeconds',
])

/** Gauges of which the largest counts; all others add up. */
const largest: ReadonlySet<FamilyName> = new Set<FamilyName>([
  'agentState', 'eventLoopLag', 'eventLoopUtilization', 'mostDescriptors', 'tlsCertificates', 'tlsCertificateExpiry', 'targetWeight', 'upstreamPanic', 'inFlightLimit', 'memoryLimited',
])

const names = Object.keys(metricTable()) as FamilyName[] // The keys of the table, no more.

/** Reads what a table has counted, each time since the last. */
export class CountReader {
  readonly #table: MetricTable
  /** By family and labels: some series are made anew whenever they are told. */
  readonly #told = new Map<string, Amount>()

  constructor (table: MetricTable) {
    this.#table = table
  }

  take (): Counts {
    const counted: Array<Counts['counted'][number]> = []
    const gauges: Array<Counts['gauges'][number]> = []
    for (const name of names) {
      if (ofOneProcess.has(name)) continue
      const family: AnyFamily = this.#table[name]
      for (const { values, cell } of family.series()) {
        if (family.declaration.kind === 'gauge') {
          gauges.push([name, values, (cell as Cell).value]) // A gauge has cells of this kind.
          continue
        }
        const amount = this.#since(`${name} ${values.join('\0')}`, cell)
        if (amount !== undefined) counted.push([name, values, amount])
      }
    }
    return { counted, gauges }
  }

  #since (series: string, cell: Cell | HistogramCell): Amount | undefined {
    const before = this.#told.get(series)
    if (cell instanceof HistogramCell) {
      const now: Observed = { counts: [...cell.counts], sum: cell.sum, count: cell.count, ...cell.exemplars === undefined ? {} : { exemplars: cell.exemplars } }
      this.#told.set(series, now)
      if (typeof before !== 'object') return now.count === 0 ? undefined : now
      if (before.count === now.count) return undefined
      return { ...now, counts: now.counts.map((count, i) => count - before.counts[i]!), sum: now.sum - before.sum, count: now.count - before.count }
    }
    this.#told.set(series, cell.value)
    // One that is smaller than before began anew.
    const more = typeof before === 'number' && before <= cell.value ? cell.value - before : cell.value
    // A series that is there is told, even when nothing was counted in it yet.
    return more === 0 && before !== undefined ? undefined : more
  }
}

/** What all processes have counted, those that are gone among them. */
export class Gathered {
  readonly #counted = metricTable()
  readonly #gauges = new Map<number, Counts['gauges']>()

  /** @param source Number of the process. */
  add (source: number, { counted, gauges }: Counts): void {
    for (const [name, labels, amount] of counted) addTo(this.#counted[name], labels, amount)
    this.#gauges.set(source, gauges)
  }

  /** The process is gone. What it has counted stays. */
  forget (source: number): void {
    this.#gauges.delete(source)
  }

  /** All of it together with what this process has itself. */
  withOwn (own: MetricTable): AnyFamily[] {
    const sum = metricTable()
    for (const table of [own, this.#counted]) {
      for (const name of names) {
        for (const { values, cell } of table[name].series()) addTo(sum[name], values, cell)
      }
    }
    for (const gauges of this.#gauges.values()) {
      for (const [name, labels, value] of gauges) {
        const cell = sum[name].cell(...labels) as Cell // Only gauges are told this way.
        cell.set(largest.has(name) ? Math.max(cell.value, value) : cell.value + value)
      }
    }
    return Object.values(sum)
  }
}

function addTo (family: AnyFamily, labels: readonly string[], amount: Amount | Cell | HistogramCell): void {
  const cell = family.cell(...labels)
  if (cell instanceof HistogramCell) {
    if (typeof amount === 'number' || !('counts' in amount)) return
    amount.counts.forEach((count, i) => { cell.counts[i]! += count })
    cell.sum += amount.sum
    cell.count += amount.count
    for (const exemplar of amount.exemplars ?? []) if (exemplar !== undefined) cell.exemplify(exemplar)
  } else cell.add(typeof amount === 'number' ? amount : 'value' in amount ? amount.value : 0)
}
