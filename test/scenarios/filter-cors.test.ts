// `filter { type "cors" }`: which other sites may use this one.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, settings: string) {
  const upstream = await startRecordingUpstream(t, (_, response) => {
    response.writeHead(200, { 'Access-Control-Allow-Origin': 'https://forgotten.example', 'Vary': 'Accept' })
    response.end('data')
  })
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "cors" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
filters { filter "cors" { type "cors"; ${settings} } }
observability { metrics { enabled #false } }
`)
  const preflight = (origin: string, headers: Record<string, string> = {}) =>
    sentinel.request('/', { method: 'OPTIONS', headers: { 'Origin': origin, 'Access-Control-Request-Method': 'PUT', ...headers } })
  return { sentinel, upstream, preflight }
}

test('a preflight request is answered by the proxy alone, with everything a browser wants to know', async (t) => {
  const { preflight, upstream } = await start(t, `allowed-origins "https://app.example.com" "https://*.shop.example"
    allowed-methods "GET" "PUT"; allowed-headers "X-Key" "Content-Type"; allow-credentials #true; max-age "10m"`)
  const answer = await preflight('https://app.example.com')
  assert.equal(answer.status, 204)
  assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example.com')
  assert.equal(answer.headers['access-control-allow-methods'], 'GET, PUT')
  assert.equal(answer.headers['access-control-allow-headers'], 'X-Key, Content-Type')
  assert.equal(answer.headers['access-control-allow-credentials'], 'true')
  assert.equal(answer.headers['access-control-max-age'], '600')
  assert.match(String(answer.headers['vary']), /Origin/)
  assert.equal(upstream.requests.length, 0)
  assert.equal((await preflight('https://de.shop.example')).status, 204)
})

test('an origin that is not allowed gets nothing: look-alikes, other schemes, other ports', async (t) => {
  const { preflight, sentinel } = await start(t, 'allowed-origins "https://app.example.com" "https://*.shop.example"; allowed-origin-regex #"https://pr-\\d+\\.preview\\.example"#')
  for (const origin of ['https://app.example.com.evil.test', 'http://app.example.com', 'https://app.example.com:8443', 'https://shop.example', 'https://evil.test/.shop.example',
    'https://pr-1.preview.example.evil.test', 'https://pr-x.preview.example', 'null']) {
    const asked = await preflight(origin)
    assert.equal(asked.status, 403, origin)
    assert.equal(asked.headers['access-control-allow-origin'], undefined, origin)
    const answer = await sentinel.get('/', { headers: { Origin: origin } })
    assert.equal(answer.status, 200)
    assert.equal(answer.headers['access-control-allow-origin'], undefined, origin)
  }
  assert.equal((await preflight('https://pr-12.preview.example')).status, 204)
})

test('answers name the origin and what scripts may read; what the application said about it is taken off', async (t) => {
  const { sentinel } = await start(t, 'allowed-origins "https://app.example.com"; exposed-headers "X-Total" "X-Request-Id"')
  const answer = await sentinel.get('/', { headers: { Origin: 'https://app.example.com' } })
  assert.equal(answer.text, 'data')
  assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example.com')
  assert.equal(answer.headers['access-control-expose-headers'], 'X-Total, X-Request-Id')
  assert.equal(answer.headers['vary'], 'Accept, Origin')
  const plain = await sentinel.get('/')
  assert.equal(plain.headers['access-control-allow-origin'], undefined)
  assert.equal(plain.headers['vary'], 'Accept, Origin', 'a cache must not give it to a site that names its origin')
})

test('everybody may read what is open to everybody, whatever headers they send, and a local network only when told', async (t) => {
  const { sentinel, preflight } = await start(t, 'allow-private-network #true')
  assert.equal((await sentinel.get('/', { headers: { Origin: 'https://any.example' } })).headers['access-control-allow-origin'], '*')
  const asked = await preflight('https://any.example', { 'Access-Control-Request-Headers': 'x-one, x-two', 'Access-Control-Request-Private-Network': 'true' })
  assert.equal(asked.headers['access-control-allow-origin'], '*')
  assert.equal(asked.headers['access-control-allow-headers'], 'x-one, x-two')
  assert.equal(asked.headers['access-control-allow-private-network'], 'true')
  assert.equal((await preflight('https://any.example')).headers['access-control-allow-private-network'], undefined)
})

test('OPTIONS that is no preflight goes to the application', async (t) => {
  const { sentinel, upstream } = await start(t, '')
  assert.equal((await sentinel.request('/', { method: 'OPTIONS', headers: { Origin: 'https://any.example' } })).text, 'data')
  assert.equal(upstream.requests.length, 1)
})
