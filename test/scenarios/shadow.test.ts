// `shadow { … }`: a copy of requests goes elsewhere, and the client does not notice.
import assert from 'node:assert/strict'
import http, { type IncomingMessage, type RequestListener } from 'node:http'
import { test, type TestContext } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'
import { bytesOf, deadPort, httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'

interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}

function recorder (seen: Seen[], status = 200): RequestListener {
  return (request, response) => void bytesOf(request).then((body) => {
    seen.push({ method: request.method!, url: request.url!, headers: request.headers, body: body.toString() })
    response.writeHead(status, { 'X-From': String(status) }).end('answer')
  })
}

async function start (t: TestContext, shadow: string, options: { readonly mirror?: RequestListener | number, readonly more?: string, readonly system?: string } = {}) {
  const served: Seen[] = []
  const copied: Seen[] = []
  const main = await httpUpstream(t, recorder(served))
  const { mirror = recorder(copied, 500) } = options
  const port = typeof mirror === 'number' ? mirror : (await httpUpstream(t, mirror)).port
  const kdl = configuration(shadow, main.port, port, options)
  return { sentinel: await startSentinel(t, kdl), served, copied, again: (other: string) => configuration(other, main.port, port, options) }
}

function configuration (shadow: string, main: number, mirror: number, { more = '', system = '' }: { readonly more?: string, readonly system?: string }): string {
  return `${system}
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; ${more}
  ${shadow} } }
upstreams { upstream "app" { target "127.0.0.1:${main}" }; upstream "canary" { target "127.0.0.1:${mirror}" } }
observability { metrics { address "127.0.0.1:0" } }
`
}

test('the copy is what the upstream gets, with its body, cookies and edits, and says what it is; its answer is seen by nobody', async (t) => {
  const { sentinel, served, copied } = await start(t, 'shadow { upstream "canary" }', { more: 'policies { rewrite-path "/v2"; request-headers { set { "X-Edited" "yes" } } }' })
  const answer = await sentinel.request('/v1?a=1', { method: 'POST', body: 'hello', headers: { Cookie: 'a=b', Host: 'shop.test' } })
  assert.equal(answer.status, 200)
  assert.equal(answer.headers['x-from'], '200')
  await eventually('the copies arrive', () => copied.length === 1)
  const [original, copy] = [served[0]!, copied[0]!]
  assert.deepEqual([copy.method, copy.url, copy.body], ['POST', '/v2?a=1', 'hello'])
  assert.deepEqual([original.method, original.url, original.body], ['POST', '/v2?a=1', 'hello'])
  const { 'x-shadow-request': mark, ...rest } = copy.headers
  assert.equal(mark, 'true')
  assert.deepEqual(rest, original.headers)
  await eventually('it is counted', async () => (await sentinel.metrics()).includes('sentinel_shadow_requests_total{route="all",upstream="canary",result="500"} 1'))
})

test('a share may be a whole number, a fraction or a text', async (t) => {
  for (const [written, least, most] of [['0', 0, 0], ['100', 400, 400], ['50.0', 120, 280], ['"25%"', 40, 160], ['0.5', 0, 20]] as const) {
    const { sentinel, copied } = await start(t, `shadow { upstream "canary"; percentage ${written}; max-in-flight 1000 }`)
    for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 20 }, () => sentinel.get('/')))
    const sent = async (): Promise<number> => Number(/sentinel_shadow_requests_total\{[^}]*\} (\d+)/.exec(await sentinel.metrics())?.[1] ?? 0)
    await eventually('it is counted', async () => await sent() === copied.length && copied.length >= least)
    assert.ok(copied.length <= most, `${written}: ${copied.length} of 400`)
    await sentinel.stop()
  }
})

test('only requests that carry the sample field are copied', async (t) => {
  const { sentinel, served, copied } = await start(t, 'mirror { upstream "canary"; sample-header "X-Debug-Shadow" "true" }')
  await sentinel.get('/none')
  await sentinel.get('/other', { headers: { 'x-debug-shadow': 'false' } })
  await sentinel.get('/copied', { headers: { 'x-debug-shadow': 'true' } })
  await eventually('the copies arrive', () => copied.length === 1)
  assert.equal(copied[0]!.url, '/copied')
  assert.equal(served.length, 3)
})

test('a mirror that is dead, silent or slow changes nothing for the client', async (t) => {
  const silent: RequestListener = () => { /* never answers */ }
  for (const mirror of [await deadPort(), silent]) {
    const { sentinel } = await start(t, `shadow { upstream "canary"; timeout "${mirror === silent ? '300ms' : '60s'}" }`, { mirror })
    const answers = await Promise.all(Array.from({ length: 50 }, () => sentinel.request('/', { method: 'POST', body: 'x'.repeat(10_000) })))
    assert.ok(answers.every(({ status }) => status === 200))
    const code = mirror === silent ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_CONNECT'
    await eventually('it is counted', async () => (await sentinel.metrics()).includes(`sentinel_shadow_requests_total{route="all",upstream="canary",result="${code}"} 50`))
    assert.match(await sentinel.metrics(), /sentinel_shadow_in_flight\{route="all"\} 0/)
    await sentinel.stop()
  }
})

test('longer bodies, and all of them where bodies are not copied, are left out and counted', async (t) => {
  const { sentinel, copied, again } = await start(t, 'shadow { upstream "canary"; max-body-bytes 1024 }')
  const post = (body: string) => sentinel.request('/', { method: 'POST', body })
  assert.equal((await post('x'.repeat(1025))).status, 200)
  await post('x'.repeat(1024))
  await eventually('the copies arrive', () => copied.length === 1)
  assert.equal(copied[0]!.body.length, 1024)
  // The same without a length beforehand.
  const chunked = http.request({ port: sentinel.port(), method: 'POST' })
  chunked.write('y'.repeat(600))
  await new Promise((resolve) => chunked.end('y'.repeat(600)).once('response', (response) => response.resume().once('end', resolve)))
  await eventually('it is counted', async () => (await sentinel.metrics()).includes('sentinel_shadow_skipped_total{route="all",reason="body-too-large"} 2'))
  const reloaded = await sentinel.reload(again('shadow { upstream "canary"; buffer-body #false }'))
  assert.equal(reloaded.event, 'reloaded')
  await post('small')
  await eventually('it is counted', async () => (await sentinel.metrics()).includes('sentinel_shadow_skipped_total{route="all",reason="body"} 1'))
  assert.match(await sentinel.metrics(), /sentinel_shadow_skipped_total\{route="all",reason="body-too-large"\} 2/, 'counts stay through a reload')
  await sentinel.get('/no-body')
  await eventually('the copies arrive', () => copied.length === 2)
})

test('refused requests are not copied', async (t) => {
  const { sentinel, copied, served } = await start(t, 'shadow { upstream "canary" }', { more: 'policies { require-headers "x-key" }' })
  assert.equal((await sentinel.get('/')).status, 400)
  assert.equal((await sentinel.get('/', { headers: { 'x-key': '1' } })).status, 200)
  await eventually('the copies arrive', () => copied.length === 1)
  assert.equal(served.length, 1)
})

test('with several workers each copies what it serves, and the counts are told together', async (t) => {
  const { sentinel, copied } = await start(t, 'shadow { upstream "canary" }', { system: 'system { worker-threads 2 }' })
  for (let i = 0; i < 30; i++) await sentinel.request('/', { method: 'POST', body: String(i), headers: { Connection: 'close' } })
  await eventually('the copies arrive', () => copied.length === 30)
  await eventually('it is counted', async () => (await sentinel.metrics()).includes('sentinel_shadow_requests_total{route="all",upstream="canary",result="500"} 30'))
})
