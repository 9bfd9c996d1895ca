import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo, Server } from 'node:net'
import type { TestContext } from 'node:test'
import { checkJson, readProtobuf, type requests } from './otlp-messages.ts'

type Signal = keyof typeof requests

export interface ReceivedSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceState?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: Readonly<Record<string, unknown>>
  readonly events: ReadonlyArray<{ readonly name: string, readonly timeUnixNano: string }>
  readonly status?: { readonly code: number, readonly message?: string }
}

export interface KeyValue {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

export interface ReceivedMetric {
  readonly name: string
  readonly unit?: string
  readonly gauge?: { readonly dataPoints: readonly ReceivedPoint[] }
  readonly sum?: { readonly dataPoints: readonly ReceivedPoint[], readonly aggregationTemporality: number, readonly isMonotonic: boolean }
  readonly histogram?: { readonly dataPoints: readonly ReceivedPoint[], readonly aggregationTemporality: number }
}

export interface ReceivedPoint {
  readonly attributes?: readonly KeyValue[]
  readonly startTimeUnixNano?: string
  readonly timeUnixNano: string
  readonly asDouble?: number
  readonly count?: string
  readonly sum?: number
  readonly bucketCounts?: readonly string[]
  readonly explicitBounds?: readonly number[]
  readonly exemplars?: ReadonlyArray<{ readonly traceId: string, readonly asDouble: number }>
}

type RawSpan = Omit<ReceivedSpan, 'attributes' | 'events'> & { readonly attributes?: readonly KeyValue[], readonly events?: ReceivedSpan['events'] }

interface Part {
  readonly resource: { readonly attributes: readonly KeyValue[] }
  readonly scopeSpans?: ReadonlyArray<{ readonly spans: readonly RawSpan[] }>
  readonly scopeMetrics?: ReadonlyArray<{ readonly metrics: readonly ReceivedMetric[] }>
}

export interface Collector {
  readonly port: number
  readonly spans: readonly ReceivedSpan[]
  /** Attributes of the resource that came last. */
  readonly resource: () => Readonly<Record<string, unknown>>
  /** Metrics that came last, by name. */
  readonly metrics: () => ReadonlyMap<string, ReceivedMetric>
  readonly headers: readonly IncomingHttpHeaders[]
  readonly bodies: readonly Buffer[]
  /** What is answered from now on. */
  answer: Answering
  /** Resolves with the spans that came when `enough` accepts them. */
  wait (enough: (spans: readonly ReceivedSpan[]) => boolean): Promise<readonly ReceivedSpan[]>
  /** Resolves when so many deliveries have come. */
  delivered (count: number): Promise<void>
}

export interface Answering {
  /** Of HTTP, or of gRPC. 0: none at all. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer
}

/** Hears OTLP over HTTP, in protobuf and JSON, and says what it understood. Anything that is not OTLP fails the test that looks. */
export async function startCollector (t: TestContext): Promise<Collector> {
  const heard = ears()
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { status = 200, headers = {}, body = Buffer.alloc(0) } = heard.collector.answer
      const type = request.headers['content-type'] ?? ''
      const taken = heard.take(request.url ?? '', type, request.headers, Buffer.concat(chunks), status === 200)
      if (status === 0) return
      response.writeHead(taken ? status : 400, { 'content-type': type, ...headers }).end(body)
    })
  })
  return listening(t, server, heard)
}

/** The same over gRPC, without TLS. */
export async function startGrpcCollector (t: TestContext): Promise<Collector> {
  const heard = ears()
  const server = createHttp2Server()
  const sessions = new Set<{ destroy (): void }>()
  server.on('session', (session) => sessions.add(session))
  t.after(() => { for (const session of sessions) session.destroy() })
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => { /* it may be cut */ })
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const framed = Buffer.concat(chunks)
      const { status = 0, body = Buffer.alloc(0) } = heard.collector.answer
      const whole = framed[0] === 0 && framed.readUInt32BE(1) === framed.length - 5 && headers['te'] === 'trailers' && headers['content-type'] === 'application/grpc'
      const path = { '/opentelemetry.proto.collector.trace.v1.TraceService/Export': '/v1/traces', '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export': '/v1/metrics' }[headers[':path'] ?? '']
      const taken = whole && path !== undefined && heard.take(path, 'application/x-protobuf', headers, framed.subarray(5), status === 0)
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': taken ? String(status) : '3' }))
      const prefix = Buffer.alloc(5)
      prefix.writeUInt32BE(body.length, 1)
      stream.end(Buffer.concat([prefix, body]))
    })
  })
  return listening(t, server, heard)
}

function ears () {
  const spans: ReceivedSpan[] = []
  const headers: IncomingHttpHeaders[] = []
  const bodies: Buffer[] = []
  const waiting = new Set<() => void>()
  let resource: Readonly<Record<string, unknown>> = {}
  let metrics: ReadonlyMap<string, ReceivedMetric> = new Map()
  let wrong: unknown
  const until = (holds: () => boolean): Promise<void> => new Promise((resolve, reject) => {
    const look = (): void => {
      if (wrong !== undefined) reject(wrong instanceof Error ? wrong : new Error(String(wrong)))
      else if (holds()) resolve()
      else return
      waiting.delete(look)
    }
    waiting.add(look)
    look()
  })
  const collector: Omit<Collector, 'port'> = {
    spans, headers, bodies, answer: {}, resource: () => resource, metrics: () => metrics,
    wait: async (enough) => {
      await until(() => enough(spans))
      return spans
    },
    delivered: (count) => until(() => bodies.length >= count),
  }
  const take = (path: string, type: string, fields: IncomingHttpHeaders, body: Buffer, kept: boolean): boolean => {
    headers.push(fields)
    bodies.push(body)
    try {
      const signal: Signal = path === '/v1/traces' ? 'traces' : path === '/v1/metrics' ? 'metrics' : assert.fail(`nothing is at ${path}`)
      const message = type === 'application/json' ? checkJson(signal, JSON.parse(body.toString())) : type === 'application/x-protobuf' ? readProtobuf(signal, body) : assert.fail(type)
      // It was read by the tables of OTLP.
      for (const part of message[signal === 'traces' ? 'resourceSpans' : 'resourceMetrics'] as readonly Part[]) {
        resource = attributesOf(part.resource.attributes)
        if (!kept) continue
        for (const scope of part.scopeSpans ?? []) spans.push(...scope.spans.map(spanOf))
        for (const scope of part.scopeMetrics ?? []) metrics = new Map(scope.metrics.map((metric) => [metric.name, metric]))
      }
    } catch (error) {
      wrong ??= error
    }
    for (const look of waiting) look()
    return wrong === undefined
  }
  return { collector, take }
}

function spanOf (span: RawSpan): ReceivedSpan {
  assert.match(span.traceId, /^[0-9a-f]{32}$/)
  assert.match(span.spanId, /^[0-9a-f]{16}$/)
  assert.ok(span.parentSpanId === undefined || /^[0-9a-f]{16}$/.test(span.parentSpanId))
  assert.ok(BigInt(span.startTimeUnixNano) <= BigInt(span.endTimeUnixNano), `${span.name} ends after it begins`)
  return { ...span, attributes: attributesOf(span.attributes ?? []), events: span.events ?? [] }
}

/** As plain values, each once. */
export function attributesOf (list: readonly KeyValue[]): Record<string, unknown> {
  const out = Object.fromEntries(list.map(({ key, value }) => [key, plain(value)]))
  assert.equal(Object.keys(out).length, list.length, `each attribute once: ${list.map(({ key }) => key).join()}`)
  return out
}

function plain (value: KeyValue['value']): unknown {
  const [[kind, inner] = assert.fail('a value of no kind'), ...more] = Object.entries(value)
  assert.equal(more.length, 0)
  return kind === 'intValue' ? Number(inner) : kind === 'arrayValue' ? (inner as { readonly values: ReadonlyArray<KeyValue['value']> }).values.map(plain) : inner
}

async function listening (t: TestContext, server: Server, { collector }: ReturnType<typeof ears>): Promise<Collector> {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function') server.closeAllConnections()
  })
  return Object.assign(collector, { port: (server.address() as AddressInfo).port })
}
