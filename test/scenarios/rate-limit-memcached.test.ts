// Limits that several proxies have together, counted in memcached: `backend "memcached"`.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { missing, startMemcached, type Running } from '../support/redis.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { eventually, startTraffic } from '../support/workers.ts'

const skip = missing('memcached') ?? false

const start = (t: TestContext, filter: string): Promise<RunningSentinel> => startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "a route with spaces" { matches { path-prefix "/" }; respond 200 "ok"; filters "limit" } }
filters { filter "limit" { type "rate-limit"; ${filter} } }
observability { metrics { enabled #false } }
`)

async function statuses (sentinel: RunningSentinel, count: number, headers: Record<string, string> = {}): Promise<number[]> {
  const got: number[] = []
  for (let i = 0; i < count; i++) got.push((await sentinel.get('/', { headers })).status)
  return got
}

test('two proxies have one limit, each key on one of several servers', { skip }, async (t) => {
  const servers = await Promise.all([startMemcached(t), startMemcached(t)])
  const url = (list: readonly Running[]): string => `memcache://${list.map(({ port }) => `127.0.0.1:${port}`).join(',')}`
  const filter = (list: readonly Running[]): string => `max-rps 1; burst 3; backend "memcached" { url "${url(list)}"; timeout "5s"; on-failure "closed" }`
  const [a, b] = await Promise.all([start(t, filter(servers)), start(t, filter([...servers].reverse()))])
  for (const client of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']) {
    const headers = { 'X-Forwarded-For': client }
    assert.deepEqual([...await statuses(a, 2, headers), ...await statuses(b, 2, headers)], [200, 200, 200, 200], client)
    // Many at once: however slow the machine is, one in a second is less.
    const more = await Promise.all([a, b].flatMap((sentinel) => Array.from({ length: 20 }, () => statuses(sentinel, 1, headers))))
    assert.ok(more.flat().includes(429), client)
  }
})

test('under load two proxies together let through what one would, within 1 %', { skip }, async (t) => {
  const memcached = await startMemcached(t)
  const filter = `max-rps 5; burst 1999; key "path"; backend "memcached" { url "memcache://127.0.0.1:${memcached.port}"; timeout "5s" }`
  const both = await Promise.all([start(t, filter), start(t, filter)])
  const begun = performance.now()
  const loads = both.map((sentinel) => startTraffic(sentinel.port(), 16))
  await eventually(() => loads.map(({ statuses: all }) => all.filter((status) => status === 429).length), (counts) => counts.every((count) => count > 1_000))
  await Promise.all(loads.map((load) => load.stop()))
  const allowed = 2_000 + 5 * (performance.now() - begun) / 1000
  const passed = loads.reduce((sum, { statuses: got }) => sum + got.filter((status) => status === 200).length, 0)
  assert.ok(loads.every(({ cut }) => cut === 0), 'no request is cut off')
  assert.ok(Math.abs(passed - allowed) <= allowed * 0.01, `${passed} passed, ${allowed.toFixed(0)} may`)
})

test('memcached is killed and started again while requests come: none is lost, and it heals', { skip }, async (t) => {
  const memcached = await startMemcached(t)
  const sentinel = await start(t, `max-rps 1000000; burst 1000000; backend "memcached" { url "memcache://127.0.0.1:${memcached.port}"; timeout "300ms" }`)
  const load = startTraffic(sentinel.port(), 8)
  await eventually(() => load.statuses.length, (count) => count > 200)
  await memcached.kill()
  await sentinel.logged(({ event }) => event === 'rate-store-failed')
  const without = load.statuses.length
  await eventually(() => load.statuses.length, (count) => count > without + 200)
  await memcached.start()
  await sentinel.logged(({ event }) => event === 'rate-store-healed')
  await load.stop()
  assert.equal(load.cut, 0)
  assert.deepEqual(load.statuses.filter((status) => status !== 200), [])
})
