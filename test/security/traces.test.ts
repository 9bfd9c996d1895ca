// What is told to collectors leaves the machine: no credential does, and nobody who calls decides what is written there.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCollector } from '../support/collector.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function site (...[t]: Parameters<typeof startCollector>) {
  const collector = await startCollector(t)
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0"; high-cardinality #true; otlp { endpoint "http://127.0.0.1:${collector.port}"; interval "1s" } }
  tracing { backend "otlp" { endpoint "http://127.0.0.1:${collector.port}"; headers { x-key "for-the-collector" } }; sampling-rate 1 } }`)
  return { collector, upstream, sentinel }
}

test('credentials in fields, queries and addresses reach no collector, and those for the collector reach nobody else', async (t) => {
  const { collector, upstream, sentinel } = await site(t)
  await sentinel.request('/a?api_key=hunter2&%74oken=hunter2&user[password]=hunter2&ok=1', {
    body: 'hunter2', headers: { authorization: 'Bearer hunter2', cookie: 'session=hunter2', 'x-api-key': 'hunter2', referer: 'http://a/?token=hunter2', 'proxy-authorization': 'Basic hunter2' },
  })
  await collector.wait((spans) => spans.some(({ kind }) => kind === 2))
  for (const body of collector.bodies) assert.ok(!body.includes('hunter2'))
  assert.equal(upstream.requests[0]!.headers['x-key'], undefined)
  assert.ok(![...sentinel.log, await sentinel.metrics()].some((said) => JSON.stringify(said).includes('for-the-collector')))
})

test('whatever a client sends, a span is one span of bounded size, its text is text, and its names are ours', async (t) => {
  const { collector, sentinel } = await site(t)
  const heads = [
    `GET /${'a'.repeat(4_000)}?${'b=c&'.repeat(500)} HTTP/1.1\r\nHost: ${'h'.repeat(200)}\r\nUser-Agent: ${'\u00ff'.repeat(900)}\r\n\r\n`,
    'BREW /%c3%a9%0d%0a HTTP/1.1\r\nHost: x\r\nUser-Agent: \u00c3\u00a9\u00ff\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: [::1]:999\r\nUser-Agent: {"a":"b"}\r\n\r\n',
    'GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\ntraceparent: 00-\r\ntracestate: \u00ff=\u00ff\r\n\r\n',
  ]
  for (const head of heads) await (await rawClient(t, sentinel.port(), head)).until('\r\n\r\n')
  // One that is understood, behind all of them.
  await sentinel.request('/last')
  const spans = await collector.wait((all) => all.some(({ attributes }) => attributes['url.path'] === '/last'))
  for (const { name, attributes } of spans) {
    assert.match(name, /^(?:(?:GET|HTTP) (?:all|app)|GET|HTTP)$/)
    for (const [key, value] of Object.entries(attributes)) assert.ok(String(value).length <= 2_049, key)
  }
  assert.ok(spans.some(({ attributes }) => attributes['http.request.method'] === '_OTHER' && attributes['http.request.method_original'] === 'BREW'))
})
