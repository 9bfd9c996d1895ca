// `filter { type "security-headers" }`: what browsers are told on every answer.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, settings: string) {
  const app = await startRecordingUpstream(t, (_, response) => {
    response.writeHead(200, { 'X-Frame-Options': 'DENY', 'X-Powered-By': 'PHP/5.3', 'Server': 'old' }).end('page')
  })
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "careful" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "careful" { type "security-headers"; ${settings} } }
observability { metrics { enabled #false } }
`)
}

test('one line is enough: safe values, where the application says nothing', async (t) => {
  const sentinel = await start(t, '')
  const { headers } = await sentinel.get('/', { headers: { 'X-Forwarded-Proto': 'https' } })
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['x-frame-options'], 'DENY')
  assert.equal(headers['referrer-policy'], 'strict-origin-when-cross-origin')
  assert.equal(headers['strict-transport-security'], 'max-age=31536000')
  for (const name of ['x-powered-by', 'server', 'content-security-policy']) assert.equal(headers[name], undefined, name)
})

test('over plain HTTP nobody is told to use https', async (t) => {
  const sentinel = await start(t, '')
  assert.equal((await sentinel.get('/')).headers['strict-transport-security'], undefined)
})

test('every value can be written, and replaces the application\'s where override says so', async (t) => {
  const sentinel = await start(t, `hsts "730d"; hsts-include-subdomains #true; hsts-preload #true; frame-options "sameorigin"; content-type-options #false; referrer-policy "no-referrer"
    content-security-policy "default-src 'self'"; csp-report-only #true; permissions-policy "camera=()"; cross-origin-opener-policy "same-origin"
    cross-origin-resource-policy "same-site"; cross-origin-embedder-policy "require-corp"; override #true; remove "Server"`)
  const { headers } = await sentinel.get('/', { headers: { 'X-Forwarded-Proto': 'https' } })
  assert.equal(headers['strict-transport-security'], 'max-age=63072000; includeSubDomains; preload')
  assert.equal(headers['x-frame-options'], 'SAMEORIGIN')
  assert.equal(headers['x-content-type-options'], undefined)
  assert.equal(headers['referrer-policy'], 'no-referrer')
  assert.equal(headers['content-security-policy-report-only'], "default-src 'self'")
  assert.equal(headers['permissions-policy'], 'camera=()')
  assert.deepEqual([headers['cross-origin-opener-policy'], headers['cross-origin-resource-policy'], headers['cross-origin-embedder-policy']], ['same-origin', 'same-site', 'require-corp'])
  assert.equal(headers['x-powered-by'], 'PHP/5.3')
})
