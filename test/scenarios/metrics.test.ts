// `observability { metrics }`: what a Prometheus reads at the metrics address.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { expose } from '../../proxy/observe/exposition.ts'
import { metricTable } from '../../proxy/observe/metrics-table.ts'
import { HistogramCell } from '../../proxy/observe/registry.ts'
import { readOpenMetrics } from '../support/open-metrics.ts'
import { promtool, without } from '../support/prometheus.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'
import { closed, echoServer, webSocketClient } from '../support/websocket.ts'

const openMetrics = 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1'

async function busy (t: TestContext, metrics = '', system = ''): Promise<RunningSentinel> {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `system { ${system} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "all" { matches { path-prefix "/" }; upstream "app" }
  route "gone" { matches { path-prefix "/gone" }; upstream "dead" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" }; upstream "dead" { target "127.0.0.1:${await deadPort()}" } }
observability { metrics { address "127.0.0.1:0"; ${metrics} } }
`)
  for (const path of ['/', '/a?b=c', '/gone', '/']) await sentinel.request(path, { method: 'POST', body: 'x'.repeat(300) })
  return sentinel
}

for (const workers of [1, 2]) {
  test(`promtool finds nothing wrong with what ${workers === 1 ? 'one process says' : 'several processes say together'}`, without('promtool'), async (t) => {
    const sentinel = await busy(t, 'high-cardinality #true', `worker-threads ${workers}`)
    const { code, text } = promtool(['check', 'metrics'], await sentinel.metrics())
    assert.equal(`${text}${code}`, '0')
  })
}

test('promtool and a strict reader find nothing wrong with any metric that there is, also with those that are seldom told', without('promtool'), () => {
  const families = Object.values(metricTable())
  for (const family of families) {
    const cell = family.cell(...family.declaration.labels.map((label) => `${label} "\\\n`))
    if (cell instanceof HistogramCell) cell.observeIn('0af7651916cd43dd8448eb211c80319c', 0.5, Date.now())
    else cell.set(1.5)
  }
  const { code, text } = promtool(['check', 'metrics'], expose(families))
  assert.equal(`${text}${code}`, '0')
  assert.equal(readOpenMetrics(expose(families, 'openmetrics')).size, families.length)
})

test('who asks for OpenMetrics gets it, and it is what its text says', async (t) => {
  const sentinel = await busy(t)
  const answer = await request(sentinel.metricsPort(), '/metrics', { headers: { accept: openMetrics } })
  assert.equal(answer.headers['content-type'], 'application/openmetrics-text; version=1.0.0; charset=utf-8')
  const families = readOpenMetrics(answer.text)
  const requests = families.get('sentinel_requests')
  assert.equal(requests?.type, 'counter')
  assert.deepEqual(requests.samples.map(({ labels, value }) => [labels['route'], labels['status'], value]), [['all', '200', 3], ['gone', '502', 1]])
  assert.equal(families.get('sentinel_request_duration_seconds')?.unit, 'seconds')
  assert.equal(families.get('sentinel_request_body_size_bytes')?.unit, 'bytes')
  assert.equal(families.get('sentinel_connections')?.samples[0]?.value, 4)
  for (const accept of [undefined, '*/*', 'text/plain', 'application/openmetrics-text;version=2.0.0', 'application/openmetrics-text;q=0.1,text/plain', 'application/openmetrics-text;q=0']) {
    const { headers, text } = await request(sentinel.metricsPort(), '/metrics', { headers: accept === undefined ? {} : { accept } })
    assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8', accept)
    assert.ok(!text.includes('# EOF'))
  }
})

test('the figures come compressed to who takes that', async (t) => {
  const sentinel = await busy(t)
  const get = (encoding: string) => request(sentinel.metricsPort(), '/metrics', { headers: { 'accept-encoding': encoding } })
  for (const encoding of ['gzip', 'deflate, gzip;q=0.5', 'gzip, deflate']) {
    const { headers, bytes } = await get(encoding)
    assert.equal(headers['content-encoding'], 'gzip', encoding)
    assert.match(gunzipSync(bytes).toString(), /^sentinel_up 1$/m)
  }
  for (const encoding of ['', 'identity', 'gzip;q=0', 'x-gzip2']) assert.equal((await get(encoding)).headers['content-encoding'], undefined, encoding)
})

test('every series that is told is of a metric on the page, and connections, memory and the event loop are among them', async (t) => {
  const sentinel = await busy(t, 'high-cardinality #true', 'worker-threads 2')
  const text = await sentinel.metrics()
  const known = new Set(Object.values(metricTable()).map(({ declaration: { name } }) => name))
  const told = new Set([...text.matchAll(/^([a-z_]+)[{ ]/gm)].map(([, name = '']) => known.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')))
  assert.deepEqual([...told].filter((name) => !known.has(name)), [])
  for (const name of [
    'sentinel_connections_total', 'sentinel_open_connections', 'sentinel_upstream_target_connections', 'sentinel_upstream_target_idle_connections',
    'sentinel_upstream_target_connections_opened_total', 'sentinel_event_loop_utilization_ratio', 'sentinel_event_loop_lag_seconds', 'process_open_fds', 'process_max_fds',
    'process_cpu_seconds_total', 'process_resident_memory_bytes', 'nodejs_heap_size_total_bytes', 'sentinel_build_info', 'sentinel_up',
  ]) assert.ok(told.has(name), name)
})

test('`high-cardinality` tells hosts, methods and targets; whatever clients send, there are no more series than the limit, and what is over it is counted', async (t) => {
  const sentinel = await busy(t, 'high-cardinality #true')
  assert.match(await sentinel.metrics(), /^sentinel_upstream_target_duration_seconds_count\{upstream="app",target="127\.0\.0\.1:\d+"\} 3$/m)
  const asked: Array<Promise<unknown>> = []
  for (let i = 0; i < 2_100; i++) {
    asked.push(sentinel.request('/', { host: `h${i}.example`, method: i < 3 ? `M${i}` : 'GET' }))
    if (asked.length === 50) await Promise.all(asked.splice(0))
  }
  await Promise.all(asked)
  const text = await sentinel.metrics()
  assert.match(text, /^sentinel_requests_by_host_total\{host="h7\.example",route="all",status="200"\} 1$/m)
  assert.match(text, /^sentinel_requests_by_method_total\{route="all",method="M2"\} 1$/m)
  assert.equal(text.match(/^sentinel_requests_by_host_total\{/gm)?.length, 2_001)
  const over = Number(/^sentinel_requests_by_host_total\{host="\(other\)",route="\(other\)",status="\(other\)"\} (\d+)$/m.exec(text)?.[1])
  assert.ok(over >= 100, `${over} under (other)`)
  assert.equal(Number(/^sentinel_metrics_overflow_total\{metric="sentinel_requests_by_host_total"\} (\d+)$/m.exec(text)?.[1]), over)
  const plain = await (await busy(t)).metrics()
  assert.ok(!plain.includes('_by_host_total{') && !plain.includes('_by_method_total{') && !plain.includes('target_duration_seconds_bucket{'))
})

test('WebSockets that are over tell their frames, connections that are over how long they were open', async (t) => {
  const echo = await echoServer(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; websocket #true } }
upstreams { upstream "app" { target "127.0.0.1:${echo.port}" } }
observability { metrics { address "127.0.0.1:0" } }`)
  const client = await webSocketClient(t, sentinel.port())
  for (const message of ['a', Buffer.from('b'), 'c']) {
    client.send(message)
    await once(client, 'message')
  }
  client.close()
  await closed(client)
  for (let text = ''; !/^sentinel_connection_duration_seconds_count\{listener="web"\} 1$/m.test(text);) {
    text = await sentinel.metrics()
    if (!text.includes('sentinel_websocket_frames_total{')) continue
    for (const direction of ['in', 'out']) {
      assert.match(text, new RegExp(`^sentinel_websocket_frames_total\\{route="all",direction="${direction}",kind="text"\\} 2$`, 'm'))
      assert.match(text, new RegExp(`^sentinel_websocket_frames_total\\{route="all",direction="${direction}",kind="binary"\\} 1$`, 'm'))
      assert.match(text, new RegExp(`^sentinel_websocket_frames_total\\{route="all",direction="${direction}",kind="close"\\} 1$`, 'm'))
    }
  }
})
