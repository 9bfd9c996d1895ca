// Limits that several proxies have together, counted in Redis: `backend "redis"`.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { missing, redisCli, startRedis } from '../support/redis.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { oneOfThree } from '../support/within.ts'
import { eventually, startTraffic, total } from '../support/workers.ts'

const waiting = atATime(2)

const skip = missing('redis-server') ?? false

function kdl (filter: string, rest = ''): string {
  return `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "all" { matches { path-prefix "/" }; respond 200 "ok"; filters "limit" } }
filters { filter "limit" { type "rate-limit"; ${filter} } }
observability { metrics { address "127.0.0.1:0" } }
${rest}
`
}

const start = (t: TestContext, filter: string, rest?: string): Promise<RunningSentinel> => startSentinel(t, kdl(filter, rest))

async function statuses (sentinel: RunningSentinel, count: number, headers: Record<string, string> = {}): Promise<number[]> {
  const got: number[] = []
  for (let i = 0; i < count; i++) got.push((await sentinel.get('/', { headers })).status)
  return got
}

test('two proxies have one limit, told in header fields by both', { skip }, async (t) => {
  const redis = await startRedis(t)
  const filter = `max-rps 1; burst 3; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "5s" }`
  const [a, b] = await Promise.all([start(t, filter), start(t, filter)])
  let clients = 0
  // Within a second, which a machine that is busy may not have: each time another client.
  await oneOfThree(async () => {
    const headers = { 'X-Forwarded-For': `192.0.2.${++clients}` }
    const first = await a.get('/', { headers })
    assert.deepEqual([first.status, first.headers['ratelimit-policy'], first.headers['x-ratelimit-remaining']], [200, '"limit";q=4;w=4', '3'])
    const second = await b.get('/', { headers })
    assert.deepEqual([second.status, second.headers['x-ratelimit-remaining']], [200, '2'])
    const got = [...await statuses(a, 1, headers), ...await statuses(b, 1, headers), ...await statuses(a, 1, headers), ...await statuses(b, 1, headers)]
    assert.deepEqual(got, [200, 200, 429, 429])
    assert.deepEqual(await statuses(b, 1, { 'X-Forwarded-For': `198.51.100.${clients}` }), [200], 'another client has a count of its own')
  })
})

test('under load two proxies together let through what one would, within 1 %', { skip }, async (t) => {
  const redis = await startRedis(t)
  const filter = `max-rps 5; burst 1999; key "route"; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "5s" }`
  const [a, b] = await Promise.all([start(t, filter), start(t, filter)])
  const begun = performance.now()
  const loads = [a, b].map((sentinel) => startTraffic(sentinel.port(), 16))
  // Both go on for a while when all is used up.
  await eventually(() => loads.map(({ statuses: all }) => all.filter((status) => status === 429).length), (counts) => counts.every((count) => count > 1_000))
  await Promise.all(loads.map((load) => load.stop()))
  const allowed = 2_000 + 5 * (performance.now() - begun) / 1000
  const passed = loads.reduce((sum, { statuses: got }) => sum + got.filter((status) => status === 200).length, 0)
  assert.ok(loads.every(({ cut }) => cut === 0), 'no request is cut off')
  assert.ok(Math.abs(passed - allowed) <= allowed * 0.01, `${passed} passed, ${allowed.toFixed(0)} may`)
})

test('Redis is killed and started again while requests come: none is lost, the limit goes on in the process, and heals', { skip }, async (t) => {
  const redis = await startRedis(t)
  const sentinel = await start(t, `max-rps 1000000; burst 1000000; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "300ms" }`)
  assert.deepEqual(await statuses(sentinel, 2), [200, 200])
  const load = startTraffic(sentinel.port(), 16)
  const asked = async (): Promise<number> => Number(/evalsha:calls=(\d+)/.exec(redisCli(redis.port, 'info', 'commandstats'))?.[1] ?? 0)
  await eventually(asked, (calls) => calls > 100)
  await redis.kill()
  await sentinel.logged(({ event }) => event === 'rate-store-failed')
  const without = load.statuses.length
  await eventually(() => load.statuses.length, (count) => count > without + 200)
  await redis.start()
  await sentinel.logged(({ event }) => event === 'rate-store-healed')
  await eventually(asked, (calls) => calls > 100)
  await load.stop()
  assert.equal(load.cut, 0)
  assert.deepEqual(load.statuses.filter((status) => status !== 200), [])
  assert.ok(total(await sentinel.metrics(), 'sentinel_rate_limit_store_failures_total') > 0)
})

waiting('while Redis does not answer, on-failure decides: local counts here, open lets through, closed refuses', { skip }, async (t) => {
  const redis = await startRedis(t)
  const of = (word: string): Promise<RunningSentinel> => start(t, `max-rps 1; burst 1; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "100ms"; on-failure "${word}" }`)
  const [local, open, closed] = await Promise.all([of('local'), of('open'), of('closed')])
  await redis.kill()
  assert.ok((await Promise.all(Array.from({ length: 20 }, () => statuses(local, 1)))).flat().includes(429))
  assert.deepEqual(await statuses(open, 4), [200, 200, 200, 200])
  assert.deepEqual(await statuses(closed, 2), [503, 503])
  assert.equal((await closed.accessed(({ status }) => status === 503)).fault, 'LIMIT_UNKNOWN')
})

waiting('Redis stands still: requests wait no longer than the time-out, and soon not at all', { skip }, async (t) => {
  const redis = await startRedis(t)
  const sentinel = await start(t, `max-rps 1000; burst 1000; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "1s" }`)
  assert.deepEqual(await statuses(sentinel, 1), [200])
  redis.signal('SIGSTOP')
  t.after(() => redis.signal('SIGCONT'))
  const began = performance.now()
  assert.deepEqual(await statuses(sentinel, 30), Array.from({ length: 30 }, () => 200))
  // Three find out; each of the others asked in vain would have had to wait as well.
  assert.ok(performance.now() - began < 20 * 1_000, `${performance.now() - began} ms`)
  redis.signal('SIGCONT')
  await eventually(async () => {
    await statuses(sentinel, 1)
    return sentinel.log.some(({ event }) => event === 'rate-store-healed')
  }, Boolean)
})

waiting('two workers count in Redis together; a reload goes on with the same counts, and one without Redis lets go of it', { skip }, async (t) => {
  const redis = await startRedis(t)
  const filter = `max-rps 1; burst 19; key "route"; backend "redis" { url "redis://127.0.0.1:${redis.port}"; timeout "5s" }`
  const two = 'system { worker-threads 2 }'
  const sentinel = await start(t, filter, two)
  const passed = async (count: number): Promise<number> => (await statuses(sentinel, count)).filter((status) => status === 200).length
  const began = performance.now()
  const before = await passed(15)
  await sentinel.reload(kdl(`${filter}; message "too many"`, two))
  const after = await passed(15)
  assert.ok(before === 15 && after >= 5 && after <= 5 + (performance.now() - began) / 1000, `${before} and ${after} passed`)
  const clients = (): number => redisCli(redis.port, 'client', 'list').split('\n').filter((line) => line.includes('name=sentinel')).length
  assert.ok(clients() >= 2)
  await sentinel.reload(kdl('max-rps 1', two))
  await eventually(clients, (count) => count === 0)
})

waiting('a password opens Redis and is told to nobody, nor is what requests are counted by', { skip }, async (t) => {
  const redis = await startRedis(t, ['--requirepass', 'hunter2/secret'])
  const url = (password: string): string => `backend "redis" { url "redis://:${password}@127.0.0.1:${redis.port}/3"; key-prefix "mine:"; timeout "5s"; on-failure "closed" }`
  const sentinel = await start(t, `max-rps 1; burst 9; key "header:Authorization"; ${url('hunter2%2Fsecret')}`)
  assert.deepEqual(await statuses(sentinel, 2, { Authorization: 'Bearer token-of-somebody' }), [200, 200])
  const keys = redisCli(redis.port, '-a', 'hunter2/secret', '-n', '3', 'keys', '*')
  assert.match(keys, /^mine:filter:limit:header=Authorization:[\w-]{22}$/)
  const wrong = await start(t, `max-rps 1; ${url('hunter3-secret')}`)
  assert.deepEqual(await statuses(wrong, 4), [503, 503, 503, 503])
  await wrong.logged(({ event }) => event === 'rate-store-failed')
  const said = [sentinel, wrong].map(({ log, access, screen }) => JSON.stringify([log, access]) + screen()).join('')
  assert.doesNotMatch(said, /hunter[23]|token-of-somebody/)
})
