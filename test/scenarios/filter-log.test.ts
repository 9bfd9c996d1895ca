// `filter { type "log" }`: requests and answers in the log of the proxy.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, settings: string, logLevel = 'info') {
  const app = await startRecordingUpstream(t)
  return startSentinel(t, `system { log-level "${logLevel}" }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "seen" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "seen" { type "log"; ${settings} } }
observability { metrics { enabled #false } }
`)
}

test('a line for the request and one for its answer, with the fields that were chosen', async (t) => {
  const sentinel = await start(t, 'fields "User-Agent" "Content-Type" "Authorization"')
  await sentinel.get('/cart?x=1', { headers: { 'User-Agent': 'test "1"\t', 'Authorization': 'Bearer hidden-token', 'X-Other': 'no' } })
  const request = await sentinel.logged(({ event }) => event === 'request')
  assert.equal(request['path'], '/cart')
  assert.equal(request['filter'], 'seen')
  const answer = await sentinel.logged(({ event }) => event === 'response')
  assert.equal(answer['status'], 200)
  assert.equal(answer['request_id'], request['request_id'])
  assert.deepEqual(answer['headers'], { 'content-type': 'application/octet-stream' })
  assert.equal((request['headers'] as Record<string, string>)['user-agent'], 'test "1"')
  assert.ok(!JSON.stringify(sentinel.log).includes('hidden-token'), 'credentials are withheld, even when they are asked for')
  assert.ok(!JSON.stringify(request).includes('X-Other'))
  assert.equal(request['request_body'], undefined)
})

test('bodies are written up to their limit, where somebody asked for them', async (t) => {
  const sentinel = await start(t, 'log-request #false; log-body #true; max-body-log-size "5B"')
  const { text } = await sentinel.request('/', { method: 'POST', body: 'hello world' })
  assert.equal(text, 'hello world')
  const answer = await sentinel.logged(({ event }) => event === 'response')
  assert.deepEqual([answer['request_body'], answer['request_body_bytes'], answer['response_body'], answer['response_body_bytes']], ['hello', 11, 'hello', 11])
  assert.ok(!sentinel.log.some(({ event }) => event === 'request'))
})

test('a level below that of the log writes nothing', async (t) => {
  const sentinel = await start(t, 'level "debug"')
  await sentinel.get('/')
  await sentinel.accessed(({ status }) => status === 200)
  assert.ok(!sentinel.log.some(({ event }) => event === 'request'))
})
