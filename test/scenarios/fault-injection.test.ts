// `filter { type "fault-injection" }`: requests that fail on purpose.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, settings: string) {
  const app = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "bad-day" } }
upstreams { upstream "app" { target "127.0.0.1:${app.port}" } }
filters { filter "bad-day" { type "fault-injection"; ${settings} } }
observability { metrics { enabled #false } }
`)
  return { app, sentinel }
}

test('requests are refused with the status that was written, and the log says why', async (t) => {
  const { sentinel, app } = await start(t, 'abort-status 418')
  assert.equal((await sentinel.get('/')).status, 418)
  assert.equal(app.requests.length, 0)
  assert.equal((await sentinel.accessed(({ status }) => status === 418)).fault, 'INJECTED')
})

test('requests are held, and go on', async (t) => {
  const { sentinel, app } = await start(t, 'delay "300ms"')
  const before = performance.now()
  assert.equal((await sentinel.get('/')).status, 200)
  assert.ok(performance.now() - before >= 299)
  assert.equal(app.requests.length, 1)
})

test('only a share of them, and only those with the field that is named', async (t) => {
  const { sentinel } = await start(t, 'abort-status 500; abort-percentage 50; header "X-Chaos"')
  const statuses = await Promise.all(Array.from({ length: 100 }, async () => (await sentinel.get('/', { headers: { 'X-Chaos': '1' } })).status))
  const failed = statuses.filter((status) => status === 500).length
  assert.ok(failed > 10 && failed < 90, `${failed} of 100`)
  const others = await Promise.all(Array.from({ length: 30 }, async () => (await sentinel.get('/')).status))
  assert.deepEqual(new Set(others), new Set([200]))
})

test('nobody can overlook it: it is said at the start, each time', async (t) => {
  const { sentinel } = await start(t, 'abort-status 503')
  const record = await sentinel.logged(({ event }) => event === 'faults-injected')
  assert.equal(record.level, 40)
  assert.match(String(record.msg), /bad-day/)
})
