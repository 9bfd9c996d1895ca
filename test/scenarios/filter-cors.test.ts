// `filter { type "cors" }`: which other sites may use this one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

/** Settings of the filter; each has a route under its name. */
const settings = {
  full: `allowed-origins "https://app.example.com" "https://*.shop.example"
    allowed-methods "GET" "PUT"; allowed-headers "X-Key" "Content-Type"; allow-credentials #true; max-age "10m"`,
  listed: 'allowed-origins "https://app.example.com" "https://*.shop.example"; allowed-origin-regex #"https://pr-\\d+\\.preview\\.example"#',
  exposed: 'allowed-origins "https://app.example.com"; exposed-headers "X-Total" "X-Request-Id"',
  private: 'allow-private-network #true',
  plain: '',
}

test('cross-origin requests', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => {
    response.writeHead(200, { 'Access-Control-Allow-Origin': 'https://forgotten.example', 'Vary': 'Accept' })
    response.end('data')
  })
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${Object.keys(settings).map((name) => `route "${name}" { matches { path-prefix "/${name}" }; upstream "app"; filters "${name}" }`).join('\n')} }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
filters { ${Object.entries(settings).map(([name, written]) => `filter "${name}" { type "cors"; ${written} }`).join('\n')} }
observability { metrics { enabled #false } }
`)
  const at = (name: keyof typeof settings) => ({
    get: (headers: Record<string, string> = {}) => sentinel.get(`/${name}`, { headers }),
    preflight: (origin: string, headers: Record<string, string> = {}) =>
      sentinel.request(`/${name}`, { method: 'OPTIONS', headers: { 'Origin': origin, 'Access-Control-Request-Method': 'PUT', ...headers } }),
    requests: () => upstream.requests.filter(({ url }) => url === `/${name}`).length,
  })

  await t.test('a preflight request is answered by the proxy alone, with everything a browser wants to know', async () => {
    const { preflight, requests } = at('full')
    const answer = await preflight('https://app.example.com')
    assert.equal(answer.status, 204)
    assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example.com')
    assert.equal(answer.headers['access-control-allow-methods'], 'GET, PUT')
    assert.equal(answer.headers['access-control-allow-headers'], 'X-Key, Content-Type')
    assert.equal(answer.headers['access-control-allow-credentials'], 'true')
    assert.equal(answer.headers['access-control-max-age'], '600')
    assert.match(String(answer.headers['vary']), /Origin/)
    assert.equal(requests(), 0)
    assert.equal((await preflight('https://de.shop.example')).status, 204)
  })

  await t.test('an origin that is not allowed gets nothing: look-alikes, other schemes, other ports', async () => {
    const { preflight, get } = at('listed')
    for (const origin of ['https://app.example.com.evil.test', 'http://app.example.com', 'https://app.example.com:8443', 'https://shop.example', 'https://evil.test/.shop.example',
      'https://pr-1.preview.example.evil.test', 'https://pr-x.preview.example', 'null']) {
      const asked = await preflight(origin)
      assert.equal(asked.status, 403, origin)
      assert.equal(asked.headers['access-control-allow-origin'], undefined, origin)
      const answer = await get({ Origin: origin })
      assert.equal(answer.status, 200)
      assert.equal(answer.headers['access-control-allow-origin'], undefined, origin)
    }
    assert.equal((await preflight('https://pr-12.preview.example')).status, 204)
  })

  await t.test('answers name the origin and what scripts may read; what the application said about it is taken off', async () => {
    const { get } = at('exposed')
    const answer = await get({ Origin: 'https://app.example.com' })
    assert.equal(answer.text, 'data')
    assert.equal(answer.headers['access-control-allow-origin'], 'https://app.example.com')
    assert.equal(answer.headers['access-control-expose-headers'], 'X-Total, X-Request-Id')
    assert.equal(answer.headers['vary'], 'Accept, Origin')
    const plain = await get()
    assert.equal(plain.headers['access-control-allow-origin'], undefined)
    assert.equal(plain.headers['vary'], 'Accept, Origin', 'a cache must not give it to a site that names its origin')
  })

  await t.test('everybody may read what is open to everybody, whatever headers they send, and a local network only when told', async () => {
    const { get, preflight } = at('private')
    assert.equal((await get({ Origin: 'https://any.example' })).headers['access-control-allow-origin'], '*')
    const asked = await preflight('https://any.example', { 'Access-Control-Request-Headers': 'x-one, x-two', 'Access-Control-Request-Private-Network': 'true' })
    assert.equal(asked.headers['access-control-allow-origin'], '*')
    assert.equal(asked.headers['access-control-allow-headers'], 'x-one, x-two')
    assert.equal(asked.headers['access-control-allow-private-network'], 'true')
    assert.equal((await preflight('https://any.example')).headers['access-control-allow-private-network'], undefined)
  })

  await t.test('OPTIONS that is no preflight goes to the application', async () => {
    const { requests } = at('plain')
    assert.equal((await sentinel.request('/plain', { method: 'OPTIONS', headers: { Origin: 'https://any.example' } })).text, 'data')
    assert.equal(requests(), 1)
  })
})
