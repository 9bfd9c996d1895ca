// `observability { tracing }`: a trace of a request's whole way, for a collector.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { startCollector, startGrpcCollector, type Collector, type ReceivedSpan } from '../support/collector.ts'
import { eventually } from '../support/eventually.ts'
import { readOpenMetrics } from '../support/open-metrics.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

const waiting = atATime(2)

const traceId = '0af7651916cd43dd8448eb211c80319c'
const callerId = 'b7ad6b7169203331'
const parent = `00-${traceId}-${callerId}-01`

interface Given {
  readonly upstream?: RecordingUpstream
  readonly system?: string
  readonly agents?: string
  readonly route?: string
  readonly filters?: string
  readonly targets?: string
  readonly more?: string
}

async function site (t: TestContext, tracing: string, given: Given = {}): Promise<{ readonly sentinel: RunningSentinel, readonly upstream: RecordingUpstream, readonly kdl: string }> {
  const upstream = given.upstream ?? await startRecordingUpstream(t)
  const kdl = `system { ${given.system ?? ''} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "shop" { matches { path-prefix "/" }; upstream "app"; ${given.route ?? ''} } }
upstreams { upstream "app" { ${given.targets ?? ''} target "127.0.0.1:${upstream.port}" } }
${given.filters === undefined ? '' : `filters { ${given.filters} }`}
${given.agents === undefined ? '' : `agents { ${given.agents} }`}
observability { access-log { file "stdout" }; metrics { address "127.0.0.1:0" }; tracing { ${tracing} } }
${given.more ?? ''}`
  return { upstream, kdl, sentinel: await startSentinel(t, kdl) }
}

const otlp = ({ port }: Collector, more = ''): string => `backend "otlp" { endpoint "http://127.0.0.1:${port}"; ${more} }; sampling-rate 1; service-name "edge"`
const server = (spans: readonly ReceivedSpan[]): ReceivedSpan => spans.find(({ kind }) => kind === 2) ?? assert.fail('no server span')
const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => spans.find((span) => span.name === name) ?? assert.fail(`no ${name} in ${spans.map((span) => span.name).join()}`)
const lastSent = ({ requests }: RecordingUpstream, name: string): string => String(requests.at(-1)!.headers[name] ?? '')
const whole = (spans: readonly ReceivedSpan[]): boolean => spans.some(({ kind }) => kind === 2)

for (const form of ['http', 'http/json', 'grpc'] as const) {
  waiting(`a request is a span, and so is each filter, each question to an agent and each try, over ${form}`, async (t) => {
    const collector = form === 'grpc' ? await startGrpcCollector(t) : await startCollector(t)
    const { sentinel, upstream } = await site(t, otlp(collector, `protocol "${form}"`), {
      agents: scriptedAgent('guard'), route: 'filters "edit" "guard"', filters: 'filter "edit" { type "headers"; set { "x-a" "b" } }',
    })
    const answer = await sentinel.request('/a/b?token=hunter2&q=1', { headers: { traceparent: parent, tracestate: 'vendor=1', 'user-agent': 'curl', ...scripted({}) } })
    assert.equal(answer.status, 200)
    const spans = await collector.wait(whole)
    const root = server(spans)
    assert.deepEqual([root.traceId, root.parentSpanId, root.name, root.traceState], [traceId, callerId, 'GET shop', 'vendor=1'])
    const { attributes } = root
    assert.deepEqual([attributes['http.request.method'], attributes['url.path'], attributes['url.query'], attributes['url.scheme'], attributes['http.response.status_code']],
      ['GET', '/a/b', 'token=[redacted]&q=1', 'http', 200])
    assert.deepEqual([attributes['client.address'], attributes['server.address'], attributes['server.port'], attributes['network.protocol.version'], attributes['user_agent.original']],
      ['127.0.0.1', '127.0.0.1', sentinel.port(), '1.1', 'curl'])
    assert.equal(attributes['sentinel.request_id'], answer.headers['x-request-id'])
    assert.equal(root.status, undefined)
    const agent = named(spans, 'agent guard request-headers')
    assert.deepEqual([agent.kind, agent.parentSpanId, agent.attributes['sentinel.verdict'], agent.attributes['sentinel.mode']], [3, root.spanId, 'allow', 'enforce'])
    assert.equal(named(spans, 'filter edit').parentSpanId, root.spanId)
    const attempt = named(spans, 'GET app')
    assert.deepEqual([attempt.kind, attempt.parentSpanId, attempt.attributes['server.port'], attempt.attributes['http.response.status_code'], attempt.events.map(({ name }) => name)],
      [3, root.spanId, upstream.port, 200, ['connected', 'first_byte']])
    assert.deepEqual(root.events.map(({ name }) => name), ['first_byte'])
    assert.equal(attempt.attributes['url.full'], `http://127.0.0.1:${upstream.port}/a/b?token=[redacted]&q=1`)
    // The target is told of the try, not of the whole.
    assert.equal(upstream.requests.at(-1)!.headers['traceparent'], `00-${traceId}-${attempt.spanId}-01`)
    assert.equal(upstream.requests.at(-1)!.headers['tracestate'], 'vendor=1')
    for (const span of spans) {
      assert.equal(span.traceId, traceId)
      for (const { timeUnixNano } of span.events) assert.ok(BigInt(timeUnixNano) >= BigInt(span.startTimeUnixNano) && BigInt(timeUnixNano) <= BigInt(span.endTimeUnixNano), span.name)
      assert.ok(BigInt(span.startTimeUnixNano) >= BigInt(root.startTimeUnixNano) && BigInt(span.endTimeUnixNano) <= BigInt(root.endTimeUnixNano), span.name)
      assert.ok(Math.abs(Number(BigInt(span.startTimeUnixNano) / 1_000_000n) - Date.now()) < 60_000)
    }
    assert.equal(collector.resource()['service.name'], 'edge')
    assert.ok(!JSON.stringify(spans).includes('hunter2'))
  })
}

waiting('a decision that blocks is on its span, and a failing agent and its failure mode are', async (t) => {
  const collector = await startCollector(t)
  const { sentinel } = await site(t, otlp(collector), { agents: scriptedAgent('guard'), route: 'filters "guard"', more: 'evidence { file "evidence.jsonl" }' })
  assert.equal((await sentinel.request('/', { headers: scripted({ request: { do: 'block', status: 451 } }) })).status, 451)
  const spans = await collector.wait(whole)
  const { attributes } = named(spans, 'agent guard request-headers')
  assert.deepEqual([attributes['sentinel.verdict'], attributes['sentinel.applied'], attributes['http.response.status_code']], ['block', true, 451])
  assert.equal(server(spans).attributes['http.response.status_code'], 451)
  await sentinel.stop()
  assert.ok(readFileSync(join(sentinel.folder, 'evidence.jsonl'), 'utf8').includes(`"trace_id":"${server(spans).traceId}"`), 'the record of the decision names the trace')
  assert.equal(server(spans).status, undefined, 'what an agent refuses is no error of the server')
})

waiting('each try of a request has its span, with what was wrong with it', async (t) => {
  const collector = await startCollector(t)
  const dead = await deadPort()
  const { sentinel, upstream } = await site(t, otlp(collector), { targets: `load-balancing "round-robin"; target "127.0.0.1:${dead}";` })
  for (let i = 0; i < 2; i++) assert.equal((await sentinel.request('/')).status, 200)
  const spans = await collector.wait((all) => all.filter(({ kind }) => kind === 2).length === 2)
  const tries = spans.filter(({ name, kind }) => kind === 3 && name !== 'connect')
  const failed = tries.filter(({ attributes }) => attributes['server.port'] === dead)
  assert.ok(failed.length > 0)
  for (const { status, attributes } of failed) assert.deepEqual([status?.code, status?.message, attributes['error.type']], [2, 'UPSTREAM_CONNECT', 'UPSTREAM_CONNECT'])
  const after = tries.find(({ traceId: id, attributes }) => id === failed[0]!.traceId && attributes['server.port'] === upstream.port)
  assert.equal(after?.attributes['http.request.resend_count'], 1)
  assert.equal(server(spans.filter(({ traceId: id }) => id === failed[0]!.traceId)).attributes['sentinel.tries'], 2)
})

waiting('nobody is there: the span of the request says which fault it was', async (t) => {
  const collector = await startCollector(t)
  const upstream = { port: await deadPort() } as RecordingUpstream
  const { sentinel } = await site(t, otlp(collector), { upstream })
  assert.equal((await sentinel.request('/')).status, 502)
  const root = server(await collector.wait(whole))
  assert.deepEqual([root.status?.code, root.attributes['error.type'], root.attributes['sentinel.fault'], root.attributes['sentinel.blame']], [2, 'UPSTREAM_CONNECT', 'UPSTREAM_CONNECT', 'upstream'])
})

test('whoever calls decides for the whole trace; nobody who decided: the share does, by the id of the trace', async (t) => {
  const collector = await startCollector(t)
  const { sentinel, upstream } = await site(t, otlp(collector).replace('sampling-rate 1', 'sampling-rate 0'))
  const sent = () => lastSent(upstream, 'traceparent')
  await sentinel.request('/0')
  assert.match(sent(), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  await sentinel.request('/1', { headers: { traceparent: `00-${traceId}-${callerId}-00` } })
  assert.match(sent(), new RegExp(`^00-${traceId}-(?!${callerId})[0-9a-f]{16}-00$`))
  await sentinel.request('/2', { headers: { traceparent: parent } })
  const spans = await collector.wait(whole)
  assert.deepEqual(spans.map(({ attributes }) => attributes['url.path']).filter((path) => path !== undefined), ['/2'])
})

test('where callers are not followed, their traces go on and the share decides', async (t) => {
  const collector = await startCollector(t)
  const { sentinel, upstream } = await site(t, `${otlp(collector).replace('sampling-rate 1', 'sampling-rate 0.5')}; follow-caller #false`)
  const chosen = `${'0'.repeat(18)}80000000000000`
  await sentinel.request('/', { headers: { traceparent: parent.replace(traceId, `${'f'.repeat(18)}7fffffffffffff`) } })
  assert.match(lastSent(upstream, 'traceparent'), /^00-f{18}7f{13}-[0-9a-f]{16}-00$/)
  await sentinel.request('/', { headers: { traceparent: `00-${chosen}-${callerId}-00` } })
  assert.match(lastSent(upstream, 'traceparent'), new RegExp(`^00-${chosen}-[0-9a-f]{16}-01$`))
  assert.equal(server(await collector.wait(whole)).parentSpanId, callerId)
})

test('tries beside one another have a span each, and a target knows which is its own', async (t) => {
  const collector = await startCollector(t)
  const slow = await startRecordingUpstream(t, (_request, response) => void setTimeout(() => response.end('slow'), 20_000).unref())
  const { sentinel, upstream } = await site(t, otlp(collector), {
    targets: `load-balancing "round-robin"; target "127.0.0.1:${slow.port}";`, route: 'hedge { enabled #true; delay "300ms"; max-attempts 2 }',
  })
  for (let i = 0; i < 2; i++) assert.equal((await sentinel.request('/')).status, 200)
  const spans = await collector.wait((all) => all.filter(({ kind }) => kind === 2).length === 2)
  const idOf = (port: number): string => named(spans.filter(({ attributes }) => attributes['server.port'] === port), 'GET app').spanId
  assert.notEqual(idOf(slow.port), idOf(upstream.port))
  assert.ok(upstream.requests.some(({ headers }) => String(headers['traceparent']).includes(idOf(upstream.port))))
  while (slow.requests.length === 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
  assert.ok(String(slow.requests[0]!.headers['traceparent']).includes(idOf(slow.port)))
  assert.equal(spans.find(({ spanId }) => spanId === idOf(slow.port))!.attributes['sentinel.outcome'], 'given up')
})

test('what a client sends in place of a trace begins a new one, and its tracestate goes with it', async (t) => {
  const collector = await startCollector(t)
  const { sentinel, upstream } = await site(t, otlp(collector))
  const bad = ['', '00', `00-${'0'.repeat(32)}-${callerId}-01`, `00-${traceId}-${'0'.repeat(16)}-01`, `ff-${traceId}-${callerId}-01`, `${parent}-more`, parent.toUpperCase(), `00-${traceId}-${callerId}-1`,
    `${parent}, ${parent}`, `00-${traceId}"><script>-${callerId}-01`]
  for (const traceparent of bad) {
    await sentinel.request('/', { headers: { traceparent, tracestate: 'a=1' } })
    const sent = lastSent(upstream, 'traceparent')
    assert.match(sent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, traceparent)
    assert.ok(!sent.includes(traceId), traceparent)
    assert.equal(lastSent(upstream, 'tracestate'), '', traceparent)
  }
  await sentinel.request('/', { headers: { traceparent: [parent, parent], tracestate: 'a=1' } })
  assert.ok(!lastSent(upstream, 'traceparent').includes(traceId), 'two of them')
  await sentinel.request('/', { headers: { traceparent: `cc-${traceId}-${callerId}-01-what-the-future-will-be-like`, tracestate: 'a=1' } })
  assert.ok(lastSent(upstream, 'traceparent').startsWith(`00-${traceId}-`), 'a later version is read as far as it is known')
  await sentinel.request('/', { headers: { traceparent: parent, tracestate: `${'a=1,'.repeat(40)}b=2` } })
  assert.equal(upstream.requests.at(-1)!.headers['tracestate'], undefined, 'a tracestate that breaks its own rules')
})

waiting('the trace is in the access log, behind figures as an exemplar, and over two workers', async (t) => {
  const collector = await startCollector(t)
  const { sentinel } = await site(t, otlp(collector), { system: 'worker-threads 2' })
  for (let i = 0; i < 8; i++) await sentinel.request(`/${i}`, { headers: { traceparent: parent } })
  await collector.wait((spans) => spans.filter(({ kind }) => kind === 2).length === 8)
  const line = await sentinel.accessed(({ path }) => path === '/7')
  assert.equal(line['trace_id'], traceId)
  const { text } = await request(sentinel.metricsPort(), '/metrics', { headers: { accept: 'application/openmetrics-text' } })
  const exemplars = readOpenMetrics(text).get('sentinel_request_duration_seconds')!.samples.flatMap(({ exemplar }) => exemplar ?? [])
  assert.ok(exemplars.length > 0 && exemplars.every(({ labels }) => labels['trace_id'] === traceId))
  await eventually('all are counted', async () => /^sentinel_trace_spans_total\{result="sent"\} 16$/m.test(await sentinel.metrics()))
})

waiting('B3 and Jaeger\'s own fields carry a trace in and out', async (t) => {
  const collector = await startCollector(t)
  const { sentinel, upstream } = await site(t, `${otlp(collector)}; propagation "b3multi" "b3" "jaeger"`)
  const ask = async (headers: Record<string, string>) => {
    await sentinel.request('/', { headers })
    return (name: string) => lastSent(upstream, name)
  }
  const of = await ask({ 'x-b3-traceid': 'a3ce929d0e0e4736', 'x-b3-spanid': callerId, 'x-b3-sampled': '1' })
  assert.equal(of('x-b3-traceid'), '0000000000000000a3ce929d0e0e4736')
  assert.match(of('b3'), /^0000000000000000a3ce929d0e0e4736-[0-9a-f]{16}-1$/)
  assert.match(of('uber-trace-id'), /^0000000000000000a3ce929d0e0e4736:[0-9a-f]{16}:0:1$/)
  assert.ok((await ask({ 'uber-trace-id': `${traceId}:${callerId}:0:1` }))('x-b3-traceid') === traceId)
  assert.ok((await ask({ b3: `${traceId}-${callerId}-d` }))('x-b3-traceid') === traceId)
  assert.equal((await ask({ b3: `${traceId}-${callerId}-0` }))('x-b3-sampled'), '0')
})

waiting('Zipkin gets its own JSON', async (t) => {
  const bodies: unknown[] = []
  const zipkin = await startRecordingUpstream(t, ({ url, body }, response) => {
    bodies.push([url, ...JSON.parse(body.toString()) as unknown[]])
    response.writeHead(202).end()
  })
  const { sentinel } = await site(t, `backend "zipkin" { endpoint "http://127.0.0.1:${zipkin.port}/api/v2/spans" }; sampling-rate 1; service-name "edge"`)
  await sentinel.request('/z', { headers: { traceparent: parent } })
  while (bodies.length === 0) await new Promise((resolve) => { setTimeout(resolve, 10) })
  const [url, ...spans] = bodies[0] as [string, ...ReadonlyArray<Readonly<Record<string, unknown>>>]
  assert.equal(url, '/api/v2/spans')
  const root = spans.find(({ kind }) => kind === 'SERVER')!
  assert.deepEqual([root['traceId'], root['parentId'], root['name'], root['localEndpoint']], [traceId, callerId, 'GET shop', { serviceName: 'edge' }])
  assert.ok(Number.isInteger(root['timestamp']) && Number.isInteger(root['duration']))
  assert.equal((root['tags'] as Record<string, string>)['http.response.status_code'], '200')
})

waiting('credentials for the collector come from the environment or a file, which is read anew', async (t) => {
  const collector = await startCollector(t)
  const upstream = await startRecordingUpstream(t)
  const kdl = (backend: string) => `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "shop" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" }; tracing { backend "otlp" { endpoint "http://127.0.0.1:${collector.port}"; ${backend} }; sampling-rate 1 } }`
  const sentinel = await startSentinel(t, kdl('token-file "token"'), { files: { token: 'first\n' } })
  await sentinel.request('/')
  await collector.delivered(1)
  writeFileSync(join(sentinel.folder, 'token'), 'second\n')
  await sentinel.request('/')
  await collector.delivered(2)
  assert.deepEqual(collector.headers.map(({ authorization }) => authorization), ['Bearer first', 'Bearer second'])
  const other = await startSentinel(t, kdl('headers { x-team "${TEAM_KEY}" }'), { env: { TEAM_KEY: 'hunter2' } })
  await other.request('/')
  await collector.delivered(3)
  assert.equal(collector.headers[2]!['x-team'], 'hunter2')
  assert.ok(![...other.log, ...sentinel.log].some((line) => /hunter2|second/.test(JSON.stringify(line))))
})

waiting('a collector that is overloaded is asked again, not before it wants; what it refuses is counted', async (t) => {
  const collector = await startCollector(t)
  collector.answer = { status: 503, headers: { 'retry-after': '1' } }
  const { sentinel } = await site(t, otlp(collector))
  await sentinel.request('/')
  await collector.delivered(1)
  const firstMs = performance.now()
  collector.answer = {}
  await collector.wait(whole)
  assert.ok(performance.now() - firstMs > 900, 'Retry-After is kept')
  await sentinel.logged(({ event }) => event === 'traces-recovered')
  collector.answer = { status: 400 }
  await sentinel.request('/')
  await collector.delivered(3)
  await sentinel.logged(({ event, msg }) => event === 'traces-failing' && msg?.includes('400') === true)
  await eventually('two were refused', async () => /^sentinel_trace_spans_total\{result="refused"\} 2$/m.test(await sentinel.metrics()))
  // One span of the two was not wanted: `partial_success { rejected_spans: 1, error_message: "no" }`.
  collector.answer = { body: Buffer.from([0x0a, 6, 0x08, 1, 0x12, 2, 0x6e, 0x6f]) }
  await sentinel.request('/')
  await collector.delivered(4)
  for (let text = ''; !/result="refused"\} 3$/m.test(text);) text = await sentinel.metrics()
})

test('a collector that does not answer holds no request, takes bounded memory, and no stop waits for it for more than two seconds', async (t) => {
  const collector = await startCollector(t)
  collector.answer = { status: 0 }
  const { sentinel } = await site(t, otlp(collector, 'timeout "300s"'))
  for (let round = 0; round < 120; round++) await Promise.all(Array.from({ length: 25 }, () => sentinel.request('/')))
  await collector.delivered(1)
  const left = Number(/^sentinel_trace_spans_total\{result="left-out"\} (\d+)$/m.exec(await sentinel.metrics())?.[1])
  // 3000 requests of two spans: one delivery is on its way, 4096 spans wait.
  assert.ok(left >= 6_000 - 4_096 - 512 - 2 && left <= 6_000 - 4_096, `${left} left out`)
  const startMs = performance.now()
  assert.equal(await sentinel.stop(), 0)
  assert.ok(performance.now() - startMs < 30_000, 'it stopped')
})

waiting('what was not sent yet is sent when the proxy stops, and when a reload turns tracing off', async (t) => {
  const collector = await startCollector(t)
  const { sentinel, kdl } = await site(t, otlp(collector))
  await sentinel.request('/before')
  assert.equal((await sentinel.reload(kdl.replace('tracing {', 'tracing { enabled #false;'))).event, 'reloaded')
  await collector.wait((spans) => spans.some(({ attributes }) => attributes['url.path'] === '/before'))
  await sentinel.request('/between')
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  await sentinel.request('/last')
  await sentinel.stop()
  const paths = collector.spans.filter(({ kind }) => kind === 2).map(({ attributes }) => attributes['url.path'])
  assert.deepEqual(paths, ['/before', '/last'])
})
