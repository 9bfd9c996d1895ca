// A limit of requests in a time holds for all workers together.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { eventually, startTraffic, total, workersOf } from '../support/workers.ts'

function kdl (filter: string): string {
  return `system { worker-threads 2 }
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "ok"; filters "limit" } }
filters { filter "limit" { type "rate-limit"; ${filter} } }
observability { metrics { address "127.0.0.1:0" } }
`
}

async function start (t: TestContext, filter: string): Promise<RunningSentinel> {
  const sentinel = await startSentinel(t, kdl(filter))
  await eventually(() => workersOf(sentinel), (workers) => workers.length === 2 && workers.every(({ state }) => state === 'serving'))
  return sentinel
}

const count = (statuses: readonly number[], status: number): number => statuses.filter((one) => one === status).length

/** Connections that stay open; of so many, each worker has some. */
async function burst (sentinel: RunningSentinel, connections: number, each: number, headers: Record<string, string> = {}): Promise<number[]> {
  const got = await Promise.all(Array.from({ length: connections }, async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
    const statuses: number[] = []
    for (let i = 0; i < each; i++) statuses.push((await request(sentinel.port(), '/', { agent, headers })).status)
    agent.destroy()
    return statuses
  }))
  return got.flat()
}

test('two workers let through as many as one would: not one more, not one less', async (t) => {
  for (const [rate, size] of [[1, 4], [1, 99], [2, 1999]] as const) {
    const sentinel = await start(t, `max-rps ${rate}; burst ${size}; key "route"`)
    const began = performance.now()
    const statuses = await burst(sentinel, 32, Math.ceil((size + 1) * 2 / 32))
    const passed = count(statuses, 200)
    const most = size + 1 + rate * (performance.now() - began) / 1000
    assert.ok(passed >= size + 1 && passed <= most, `${passed} of ${statuses.length} passed; ${size + 1} at once and ${rate} in a second may`)
    assert.equal(passed + count(statuses, 429), statuses.length)
    await sentinel.stop()
  }
})

test('over time they let through the rate, and what each client may is its own', async (t) => {
  // Burst for four seconds: so long the load may stand still, and nothing of the rate is lost.
  const sentinel = await start(t, 'max-rps 100; burst 399')
  const began = performance.now()
  const traffic = startTraffic(sentinel.port(), 16)
  await eventually(() => count(traffic.statuses, 429), (refused) => refused > 1_000)
  await eventually(() => performance.now() - began, (ms) => ms > 6_000)
  await traffic.stop()
  const seconds = (performance.now() - began) / 1000
  const passed = count(traffic.statuses, 200)
  assert.ok(passed <= 400 + 100 * seconds && passed >= (400 + 100 * seconds) * 0.97 - 10, `${passed} passed in ${seconds} s`)
  assert.equal(count(await burst(sentinel, 8, 5, { 'X-Forwarded-For': '192.0.2.77' }), 200), 40, 'another client has a count of its own')
})

test('requests that wait for their turn wait for one of all workers', async (t) => {
  const sentinel = await start(t, 'max-rps 20; burst 0; on-limit "delay"; max-delay "30s"')
  const began = performance.now()
  const statuses = await burst(sentinel, 16, 3)
  assert.deepEqual(count(statuses, 200), 48)
  assert.ok(performance.now() - began >= 47 * 50 - 20, `48 in ${performance.now() - began} ms`)
})

test('a worker that is killed gives nobody more, and metrics know the keys of all', async (t) => {
  const sentinel = await start(t, 'max-rps 1; burst 199; key "route"')
  const began = performance.now()
  const before = count(await burst(sentinel, 16, 5), 200)
  assert.equal(before, 80)
  const [first] = await workersOf(sentinel)
  process.kill(first!.pid, 'SIGKILL')
  await eventually(() => workersOf(sentinel), (workers) => workers.every(({ state, pid }) => state === 'serving' && pid !== first!.pid))
  const after = count(await burst(sentinel, 16, 20), 200)
  const most = 200 + (performance.now() - began) / 1000
  assert.ok(before + after <= most, `${before} and ${after} passed`)
  const metrics = await sentinel.metrics()
  assert.equal(total(metrics, 'sentinel_rate_limit_keys', 'name="limit"'), 1)
  assert.ok(total(metrics, 'sentinel_rate_limit_hits_total', 'name="limit"') > 0)
})
