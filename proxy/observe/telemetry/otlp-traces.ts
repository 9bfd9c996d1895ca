import { encode, type Writer } from '../../../proto/codec/index.ts'
import { jsonAttributes, tag, writeAttributes, writeResource, writeScope, writeText } from './otlp-common.ts'
import { nanoseconds, type Resource, type Span, type SpanEvent } from './span.ts'

/** `ExportTraceServiceRequest` (trace.proto and trace_service.proto of OTLP 1.x). */

const kinds = { internal: 1, server: 2, client: 3 } as const
const STATUS_ERROR = 2

export function tracesAsProtobuf (spans: readonly Span[], resource: Resource): Buffer {
  return encode(writeRequest, { spans, resource })
}

/** `resource_spans = 1 { resource = 1; scope_spans = 2 { scope = 1; spans = 2 } }`. */
function writeRequest (w: Writer, { spans, resource }: { readonly spans: readonly Span[], readonly resource: Resource }): void {
  const all = w.used
  const scope = w.used
  for (let i = spans.length - 1; i >= 0; i--) writeSpan(w, spans[i]!)
  writeScope(w, 1, resource)
  w.close(scope, tag(2, 'length'))
  writeResource(w, 1, resource)
  w.close(all, tag(1, 'length'))
}

function writeSpan (w: Writer, span: Span): void {
  const mark = w.used
  if (span.error !== undefined) writeStatus(w, span.error)
  for (let i = span.events.length - 1; i >= 0; i--) writeEvent(w, span.events[i]!)
  writeAttributes(w, 9, span.attributes)
  writeTime(w, 8, span.endMs)
  writeTime(w, 7, span.startMs)
  w.uint32(kinds[span.kind])
  w.uint32(tag(6, 'varint'))
  writeText(w, 5, span.name)
  if (span.parentSpanId !== '') writeId(w, 4, span.parentSpanId)
  writeText(w, 3, span.traceState)
  writeId(w, 2, span.spanId)
  writeId(w, 1, span.traceId)
  w.close(mark, tag(2, 'length'))
}

/** `status = 15 { message = 2; code = 3 }`. */
function writeStatus (w: Writer, message: string): void {
  const mark = w.used
  w.uint32(STATUS_ERROR)
  w.uint32(tag(3, 'varint'))
  writeText(w, 2, message)
  w.close(mark, tag(15, 'length'))
}

/** `events = 11 { time_unix_nano = 1; name = 2; attributes = 3 }`. */
function writeEvent (w: Writer, { name, atMs, attributes }: SpanEvent): void {
  const mark = w.used
  writeAttributes(w, 3, attributes)
  writeText(w, 2, name)
  writeTime(w, 1, atMs)
  w.close(mark, tag(11, 'length'))
}

export function writeTime (w: Writer, field: number, ms: number): void {
  w.fixed64(nanoseconds(ms))
  w.uint32(tag(field, 'eight'))
}

export function writeId (w: Writer, field: number, hex: string): void {
  w.bytes(Buffer.from(hex, 'hex'))
  w.uint32(tag(field, 'length'))
}

/** As `tracesAsProtobuf`, in OTLP's JSON: ids in hexadecimal, not in base64. */
export function tracesAsJson (spans: readonly Span[], resource: Resource): Buffer {
  return Buffer.from(JSON.stringify({
    resourceSpans: [{
      resource: { attributes: jsonAttributes(resource.attributes) },
      scopeSpans: [{ scope: { name: 'sentinel', version: resource.version }, spans: spans.map(jsonSpan) }],
    }],
  }))
}

function jsonSpan ({ traceId, spanId, parentSpanId, traceState, name, kind, startMs, endMs, attributes, events, error }: Span): unknown {
  return {
    traceId, spanId,
    ...traceState === '' ? {} : { traceState },
    ...parentSpanId === '' ? {} : { parentSpanId },
    name, kind: kinds[kind],
    startTimeUnixNano: String(nanoseconds(startMs)), endTimeUnixNano: String(nanoseconds(endMs)),
    attributes: jsonAttributes(attributes),
    events: events.map((event) => ({ timeUnixNano: String(nanoseconds(event.atMs)), name: event.name, attributes: jsonAttributes(event.attributes) })),
    ...error === undefined ? {} : { status: { code: STATUS_ERROR, message: error } },
  }
}
