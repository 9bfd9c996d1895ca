import { encode, type Writer } from '../../../proto/codec/index.ts'
import { HistogramCell, type AnyFamily, type Cell, type Declaration, type Exemplar } from '../registry.ts'
import { jsonAttributes, tag, writeAttributes, writeResource, writeScope, writeText } from './otlp-common.ts'
import { writeId, writeTime } from './otlp-traces.ts'
import { nanoseconds, type Attributes, type Resource } from './span.ts'

/** `ExportMetricsServiceRequest` (metrics.proto and metrics_service.proto of OTLP 1.x): all that was counted since the process began. */

export interface Figures {
  readonly families: readonly AnyFamily[]
  readonly resource: Resource
  /** Milliseconds since 1970. */
  readonly sinceMs: number
  readonly nowMs: number
}

const CUMULATIVE = 2

export function figuresAsProtobuf (figures: Figures): Buffer {
  return encode(writeRequest, figures)
}

/** `resource_metrics = 1 { resource = 1; scope_metrics = 2 { scope = 1; metrics = 2 } }`. */
function writeRequest (w: Writer, figures: Figures): void {
  const all = w.used
  const scope = w.used
  for (const family of figures.families.filter(told).toReversed()) writeMetric(w, family, figures)
  writeScope(w, 1, figures.resource)
  w.close(scope, tag(2, 'length'))
  writeResource(w, 1, figures.resource)
  w.close(all, tag(1, 'length'))
}

function told (family: AnyFamily): boolean {
  return family.series().length > 0
}

/** `Metric { name = 1; description = 2; unit = 3; gauge = 5; sum = 7; histogram = 9 }`. */
function writeMetric (w: Writer, family: AnyFamily, figures: Figures): void {
  const { declaration } = family
  const mark = w.used
  const data = w.used
  if (declaration.kind === 'counter') {
    w.bool(true)
    w.uint32(tag(3, 'varint'))
  }
  if (declaration.kind !== 'gauge') {
    w.uint32(CUMULATIVE)
    w.uint32(tag(2, 'varint'))
  }
  for (const { values, cell } of family.series().toReversed()) {
    const attributes = attributesOf(declaration, values)
    if (cell instanceof HistogramCell) writeHistogram(w, cell, attributes, declaration.buckets ?? [], figures)
    else writeNumber(w, cell, attributes, declaration.kind === 'counter', figures)
  }
  w.close(data, tag({ gauge: 5, counter: 7, histogram: 9 }[declaration.kind], 'length'))
  writeText(w, 3, unitOf(declaration))
  writeText(w, 2, declaration.help)
  writeText(w, 1, nameOf(declaration))
  w.close(mark, tag(2, 'length'))
}

/** `NumberDataPoint { start_time = 2; time = 3; as_double = 4; attributes = 7 }`. */
function writeNumber (w: Writer, { value }: Cell, attributes: Attributes, counted: boolean, { sinceMs, nowMs }: Figures): void {
  const mark = w.used
  writeAttributes(w, 7, attributes)
  w.double(value)
  w.uint32(tag(4, 'eight'))
  writeTime(w, 3, nowMs)
  if (counted) writeTime(w, 2, sinceMs)
  w.close(mark, tag(1, 'length'))
}

/** `HistogramDataPoint { start_time = 2; time = 3; count = 4; sum = 5; bucket_counts = 6; explicit_bounds = 7; exemplars = 8; attributes = 9 }`. */
function writeHistogram (w: Writer, cell: HistogramCell, attributes: Attributes, bounds: readonly number[], { sinceMs, nowMs }: Figures): void {
  const mark = w.used
  writeAttributes(w, 9, attributes)
  for (const exemplar of cell.exemplars ?? []) if (exemplar !== undefined) writeExemplar(w, exemplar)
  const ofBounds = w.used
  for (const bound of bounds.toReversed()) w.double(bound)
  w.close(ofBounds, tag(7, 'length'))
  const ofCounts = w.used
  for (const count of bucketCounts(cell).toReversed()) w.fixed64(BigInt(count))
  w.close(ofCounts, tag(6, 'length'))
  w.double(cell.sum)
  w.uint32(tag(5, 'eight'))
  w.fixed64(BigInt(cell.count))
  w.uint32(tag(4, 'eight'))
  writeTime(w, 3, nowMs)
  writeTime(w, 2, sinceMs)
  w.close(mark, tag(1, 'length'))
}

/** `Exemplar { time = 2; as_double = 3; trace_id = 5 }`. */
function writeExemplar (w: Writer, { traceId, value, atMs }: Exemplar): void {
  const mark = w.used
  writeId(w, 5, traceId)
  w.double(value)
  w.uint32(tag(3, 'eight'))
  writeTime(w, 2, atMs)
  w.close(mark, tag(8, 'length'))
}

/** The last bucket is what is above all bounds. */
function bucketCounts ({ counts, count }: HistogramCell): number[] {
  return [...counts, count - counts.reduce((sum, one) => sum + one, 0)]
}

function attributesOf ({ labels }: Declaration, values: readonly string[]): Attributes {
  return labels.map((label, i) => [label, values[i] ?? ''])
}

/** Whoever makes Prometheus' form of it puts "_total" there. */
function nameOf ({ name, kind }: Declaration): string {
  return kind === 'counter' ? name.slice(0, -'_total'.length) : name
}

/** UCUM (https://ucum.org), which OTLP wants. */
function unitOf (declaration: Declaration): string {
  const name = nameOf(declaration)
  return name.endsWith('_seconds') ? 's' : name.endsWith('_bytes') ? 'By' : name.endsWith('_ratio') ? '1' : ''
}

/** As `figuresAsProtobuf`, in OTLP's JSON. */
export function figuresAsJson ({ families, resource, sinceMs, nowMs }: Figures): Buffer {
  const since = { startTimeUnixNano: String(nanoseconds(sinceMs)) }
  const now = { timeUnixNano: String(nanoseconds(nowMs)) }
  const metrics = families.filter(told).map((family) => {
    const { declaration } = family
    const { kind, help, buckets = [] } = declaration
    const dataPoints = family.series().map(({ values, cell }) => ({
      attributes: jsonAttributes(attributesOf(declaration, values)), ...kind === 'gauge' ? {} : since, ...now,
      ...cell instanceof HistogramCell ? jsonHistogram(cell, buckets) : { asDouble: cell.value },
    }))
    const data = {
      gauge: { gauge: { dataPoints } },
      counter: { sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } },
      histogram: { histogram: { dataPoints, aggregationTemporality: CUMULATIVE } },
    }[kind]
    return { name: nameOf(declaration), description: help, unit: unitOf(declaration), ...data }
  })
  const scopeMetrics = [{ scope: { name: 'sentinel', version: resource.version }, metrics }]
  return Buffer.from(JSON.stringify({ resourceMetrics: [{ resource: { attributes: jsonAttributes(resource.attributes) }, scopeMetrics }] }))
}

function jsonHistogram (cell: HistogramCell, bounds: readonly number[]): Readonly<Record<string, unknown>> {
  const exemplars = (cell.exemplars ?? []).flatMap((one) => (
    one === undefined ? [] : [{ traceId: one.traceId, asDouble: one.value, timeUnixNano: String(nanoseconds(one.atMs)) }]
  ))
  return { count: String(cell.count), sum: cell.sum, bucketCounts: bucketCounts(cell).map(String), explicitBounds: bounds, exemplars }
}
