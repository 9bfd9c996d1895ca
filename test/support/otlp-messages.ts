import assert from 'node:assert/strict'

/**
 * OTLP 1.x as its .proto files number it, read strictly: a field that is not there, a wire type that does not fit, or bytes left over are refused. Written
 * from the definitions (opentelemetry-proto: common, resource, trace, metrics and their services), and knows nothing of how the proxy writes them.
 */
type Kind = 'string' | 'hex' | 'bool' | 'uint32' | 'enum' | 'int64' | 'fixed64' | 'fixed32' | 'double' | 'packed fixed64' | 'packed double' | MessageType
interface MessageType { readonly [field: number]: readonly [name: string, kind: Kind, repeated?: 'repeated'] }

const AnyValue: Record<number, readonly [string, Kind, 'repeated'?]> = { 1: ['stringValue', 'string'], 2: ['boolValue', 'bool'], 3: ['intValue', 'int64'], 4: ['doubleValue', 'double'], 7: ['bytesValue', 'hex'] }
AnyValue[5] = ['arrayValue', { 1: ['values', AnyValue, 'repeated'] }]
const KeyValue: MessageType = { 1: ['key', 'string'], 2: ['value', AnyValue] }
const Resource: MessageType = { 1: ['attributes', KeyValue, 'repeated'], 2: ['droppedAttributesCount', 'uint32'] }
const Scope: MessageType = { 1: ['name', 'string'], 2: ['version', 'string'], 3: ['attributes', KeyValue, 'repeated'], 4: ['droppedAttributesCount', 'uint32'] }
const Event: MessageType = { 1: ['timeUnixNano', 'fixed64'], 2: ['name', 'string'], 3: ['attributes', KeyValue, 'repeated'], 4: ['droppedAttributesCount', 'uint32'] }
const Status: MessageType = { 2: ['message', 'string'], 3: ['code', 'enum'] }
const Span: MessageType = {
  1: ['traceId', 'hex'], 2: ['spanId', 'hex'], 3: ['traceState', 'string'], 4: ['parentSpanId', 'hex'], 5: ['name', 'string'], 6: ['kind', 'enum'],
  7: ['startTimeUnixNano', 'fixed64'], 8: ['endTimeUnixNano', 'fixed64'], 9: ['attributes', KeyValue, 'repeated'], 10: ['droppedAttributesCount', 'uint32'],
  11: ['events', Event, 'repeated'], 12: ['droppedEventsCount', 'uint32'], 14: ['droppedLinksCount', 'uint32'], 15: ['status', Status], 16: ['flags', 'fixed32'],
}
const ScopeSpans: MessageType = { 1: ['scope', Scope], 2: ['spans', Span, 'repeated'], 3: ['schemaUrl', 'string'] }
const ResourceSpans: MessageType = { 1: ['resource', Resource], 2: ['scopeSpans', ScopeSpans, 'repeated'], 3: ['schemaUrl', 'string'] }
const TraceRequest: MessageType = { 1: ['resourceSpans', ResourceSpans, 'repeated'] }

const Exemplar: MessageType = { 2: ['timeUnixNano', 'fixed64'], 3: ['asDouble', 'double'], 4: ['spanId', 'hex'], 5: ['traceId', 'hex'], 6: ['asInt', 'fixed64'], 7: ['filteredAttributes', KeyValue, 'repeated'] }
const NumberPoint: MessageType = {
  2: ['startTimeUnixNano', 'fixed64'], 3: ['timeUnixNano', 'fixed64'], 4: ['asDouble', 'double'], 5: ['exemplars', Exemplar, 'repeated'], 6: ['asInt', 'fixed64'],
  7: ['attributes', KeyValue, 'repeated'], 8: ['flags', 'uint32'],
}
const HistogramPoint: MessageType = {
  2: ['startTimeUnixNano', 'fixed64'], 3: ['timeUnixNano', 'fixed64'], 4: ['count', 'fixed64'], 5: ['sum', 'double'], 6: ['bucketCounts', 'packed fixed64'],
  7: ['explicitBounds', 'packed double'], 8: ['exemplars', Exemplar, 'repeated'], 9: ['attributes', KeyValue, 'repeated'], 10: ['flags', 'uint32'], 11: ['min', 'double'], 12: ['max', 'double'],
}
const Metric: MessageType = {
  1: ['name', 'string'], 2: ['description', 'string'], 3: ['unit', 'string'], 5: ['gauge', { 1: ['dataPoints', NumberPoint, 'repeated'] }],
  7: ['sum', { 1: ['dataPoints', NumberPoint, 'repeated'], 2: ['aggregationTemporality', 'enum'], 3: ['isMonotonic', 'bool'] }],
  9: ['histogram', { 1: ['dataPoints', HistogramPoint, 'repeated'], 2: ['aggregationTemporality', 'enum'] }],
}
const ScopeMetrics: MessageType = { 1: ['scope', Scope], 2: ['metrics', Metric, 'repeated'], 3: ['schemaUrl', 'string'] }
const MetricsRequest: MessageType = { 1: ['resourceMetrics', { 1: ['resource', Resource], 2: ['scopeMetrics', ScopeMetrics, 'repeated'], 3: ['schemaUrl', 'string'] }, 'repeated'] }

export const requests = { traces: TraceRequest, metrics: MetricsRequest } as const

/** The message in the shape of OTLP's JSON; 64-bit numbers are texts there. */
export function readProtobuf (signal: keyof typeof requests, bytes: Buffer): Record<string, unknown> {
  return readMessage(bytes, requests[signal])
}

/** Wire types (https://protobuf.dev/programming-guides/encoding/#structure). */
function wireOf (kind: Kind): number {
  if (typeof kind === 'object' || kind === 'string' || kind === 'hex' || kind.startsWith('packed')) return 2
  return kind === 'fixed64' || kind === 'double' ? 1 : kind === 'fixed32' ? 5 : 0
}

function readMessage (bytes: Buffer, type: MessageType): Record<string, unknown> {
  const out: Record<string, unknown> = {}
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++] ?? assert.fail('a number is cut off')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
      assert.ok(shift < 63n, 'a number of more than ten bytes')
    }
  }
  const take = (length: number): Buffer => {
    assert.ok(at + length <= bytes.length, 'a field is cut off')
    return bytes.subarray(at, at += length)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const [name, kind, repeated] = type[tag >>> 3] ?? assert.fail(`there is no field ${tag >>> 3} beside ${Object.values(type).map(([known]) => known).join(', ')}`)
    assert.equal(tag & 7, wireOf(kind), `the wire type of ${name}`)
    const wire = tag & 7
    const value = read(kind, wire === 0 ? varint() : wire === 1 ? take(8) : wire === 5 ? take(4) : take(Number(varint())))
    if (repeated === undefined) {
      assert.ok(!(name in out), `${name} stands once`)
      out[name] = value
    } else (out[name] ??= [] as unknown[]) // An array as long as only this puts something there.
    if (repeated !== undefined) (out[name] as unknown[]).push(value)
  }
  return out
}

function read (kind: Kind, raw: bigint | Buffer): unknown {
  if (typeof raw === 'bigint') return kind === 'bool' ? raw === 1n : kind === 'int64' ? String(raw) : Number(raw)
  if (typeof kind === 'object') return readMessage(raw, kind)
  switch (kind) {
    case 'string': return new TextDecoder('utf-8', { fatal: true }).decode(raw)
    case 'hex': return raw.toString('hex')
    case 'fixed64': return String(raw.readBigUInt64LE())
    case 'fixed32': return raw.readUInt32LE()
    case 'double': return raw.readDoubleLE()
    case 'packed fixed64': return eights(raw).map((eight) => String(eight.readBigUInt64LE()))
    case 'packed double': return eights(raw).map((eight) => eight.readDoubleLE())
    default: return assert.fail(kind)
  }
}

function eights (raw: Buffer): Buffer[] {
  assert.equal(raw.length % 8, 0)
  return Array.from({ length: raw.length / 8 }, (_, i) => raw.subarray(i * 8, i * 8 + 8))
}

/** Names and shapes of OTLP's JSON, by the same tables: what is not in them is refused. */
export function checkJson (signal: keyof typeof requests, message: unknown): Record<string, unknown> {
  checkObject(message, requests[signal], signal)
  return message as Record<string, unknown> // It was just looked at.
}

function checkObject (value: unknown, type: MessageType, where: string): void {
  assert.ok(typeof value === 'object' && value !== null && !Array.isArray(value), where)
  for (const [key, inner] of Object.entries(value)) {
    const [, kind, repeated] = Object.values(type).find(([name]) => name === key) ?? assert.fail(`${where} has no ${key}`)
    for (const one of repeated === undefined ? [inner] : inner as readonly unknown[]) checkValue(one, kind, `${where}.${key}`)
  }
}

function checkValue (value: unknown, kind: Kind, where: string): void {
  if (typeof kind === 'object') return checkObject(value, kind, where)
  if (kind.startsWith('packed')) {
    assert.ok(Array.isArray(value), where)
    for (const one of value) checkValue(one, kind === 'packed double' ? 'double' : 'fixed64', where)
    return
  }
  if (kind === 'int64' || kind === 'fixed64') return assert.match(String(typeof value === 'string' ? value : assert.fail(`${where} is no text`)), /^\d+$/, where)
  if (kind === 'hex') return assert.match(String(value), /^(?:[0-9a-f]{2})+$/, where)
  assert.equal(typeof value, kind === 'string' ? 'string' : kind === 'bool' ? 'boolean' : 'number', where)
}
