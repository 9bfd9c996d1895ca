// More comes than can be done: what is done stays fast, and what is not is said early.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'
import { oneOfThree } from '../support/within.ts'

const serviceMs = 50

function start (t: TestContext, port: number, limits: string): Promise<RunningSentinel> {
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
limits { ${limits} }
observability { metrics { address "127.0.0.1:0" } }
`)
}

interface Answered {
  readonly status: number
  readonly ms: number
  readonly retryAfter: string | undefined
}

/** So many requests in each second, for so long, whatever becomes of them. */
async function offer (port: number, perSecond: number, seconds: number): Promise<Answered[]> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 2_000 })
  const asked: Promise<Answered>[] = []
  const ask = (): Promise<Answered> => new Promise((resolve, reject) => {
    const startedMs = performance.now()
    http.get({ port, agent }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode!, ms: performance.now() - startedMs, retryAfter: response.headers['retry-after'] }))
      response.on('error', reject)
    }).on('error', reject)
  })
  const beganMs = performance.now()
  for (let due = 0; due < perSecond * seconds;) {
    const now = Math.min(perSecond * seconds, Math.floor((performance.now() - beganMs) / 1000 * perSecond))
    for (; due < now; due++) asked.push(ask())
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const answers = await Promise.all(asked)
  agent.destroy()
  return answers
}

const p99 = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!

test('at three times what can be done, four fifths of it still is, in at most five times the usual time, and the rest is told early when to come again', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => { setTimeout(() => response.end('ok'), serviceMs) })
  const sentinel = await start(t, upstream.port, 'max-in-flight-requests 10; max-queued-requests 1000')
  const capacity = 10 * 1000 / serviceMs
  const seconds = 4
  // A client that was not given a processor asks for all it owes at once.
  await oneOfThree(async () => {
    const calm = await offer(sentinel.port(), capacity / 4, 2)
    assert.ok(calm.every(({ status }) => status === 200))
    const answers = await offer(sentinel.port(), capacity * 3, seconds)
    const good = answers.filter(({ status }) => status === 200)
    const refused = answers.filter(({ status }) => status === 503)
    assert.equal(good.length + refused.length, answers.length, 'every request was answered')
    assert.ok(refused.every(({ retryAfter }) => retryAfter === '1'))
    assert.ok(good.length >= capacity * seconds * 0.8, `${good.length} of ${capacity * seconds} were served`)
    const usual = p99(calm.map(({ ms }) => ms))
    assert.ok(p99(good.map(({ ms }) => ms)) <= usual * 5, `99 % within ${p99(good.map(({ ms }) => ms))} ms, usual are ${usual} ms`)
  })
  assert.equal((await sentinel.accessed(({ status }) => status === 503)).fault, 'OVERLOADED')
  for (const figure of ['sentinel_queued_requests 0', 'sentinel_active_requests 0', 'sentinel_in_flight_limit 10']) {
    await eventually(figure, async () => (await sentinel.metrics()).includes(`\n${figure}\n`))
  }
  await oneOfThree(async () => {
    const after = await offer(sentinel.port(), capacity / 4, 1)
    assert.ok(after.every(({ status }) => status === 200), 'all is as before when the crowd is gone')
  })
})

test('a burst waits for its turn and is served whole', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => { setTimeout(() => response.end('ok'), 5) })
  const sentinel = await start(t, upstream.port, 'max-in-flight-requests 10; max-queued-requests 100; queue-timeout "1m"')
  const agent = new http.Agent({ keepAlive: true })
  // A queue that stands is cut short, and a machine that is busy may make one of this.
  await oneOfThree(async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, () => sentinel.get('/', { agent })))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  })
  agent.destroy()
})

test('with no room to wait, one request more than can be worked on is refused at once', async (t) => {
  let answer: () => void = () => {}
  const upstream = await httpUpstream(t, (_, response) => { answer = () => response.end('ok') })
  const sentinel = await start(t, upstream.port, 'max-in-flight-requests 1; max-queued-requests 0')
  const first = sentinel.get('/')
  while ((await sentinel.metrics()).match(/^sentinel_active_requests 1$/m) === null) await new Promise((resolve) => setTimeout(resolve, 10))
  const second = await sentinel.get('/')
  assert.equal(second.status, 503)
  answer()
  assert.equal((await first).status, 200)
})

test('a client that leaves while its request waits is not asked for', async (t) => {
  let asked = 0
  let answer: () => void = () => {}
  const upstream = await httpUpstream(t, (_, response) => {
    asked++
    answer = () => response.end('ok')
  })
  const sentinel = await start(t, upstream.port, 'max-in-flight-requests 1; queue-timeout "1m"')
  const first = sentinel.get('/')
  while (asked === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  const leaving = http.get({ port: sentinel.port(), path: '/left' })
  leaving.on('error', () => {})
  while ((await sentinel.metrics()).match(/^sentinel_queued_requests 1$/m) === null) await new Promise((resolve) => setTimeout(resolve, 10))
  leaving.destroy()
  assert.equal((await sentinel.accessed(({ path }) => path === '/left')).fault, 'CLIENT_GONE')
  answer()
  await first
  const then = sentinel.get('/then')
  while (asked === 1) await new Promise((resolve) => setTimeout(resolve, 5))
  answer()
  assert.equal((await then).status, 200, 'the place is free')
  assert.equal(asked, 2)
})

test('adaptive-concurrency finds out by itself what an upstream can do at a time', async (t) => {
  let busy = 0
  const waiting: Array<() => void> = []
  // Eight at a time; more wait in its own queue, as they do in most applications.
  const work = (response: http.ServerResponse): void => {
    busy++
    setTimeout(() => {
      response.end('ok')
      busy--
      waiting.shift()?.()
    }, 20)
  }
  const upstream = await httpUpstream(t, (_, response) => {
    if (busy < 8) work(response)
    else waiting.push(() => work(response))
  })
  const sentinel = await start(t, upstream.port, 'adaptive-concurrency { min-limit 4; max-limit 500; initial-limit 200 }')
  await offer(sentinel.port(), 100, 2)
  await oneOfThree(async () => {
    const answers = await offer(sentinel.port(), 1_200, 4)
    const metrics = await sentinel.metrics()
    const limit = Number(/^sentinel_in_flight_limit (\d+)$/m.exec(metrics)?.[1])
    assert.ok(limit >= 4 && limit <= 60, `the limit is ${limit}`)
    assert.ok(answers.filter(({ status }) => status === 200).length >= 8 * 50 * 4 * 0.6, 'it goes on working')
  })
})

test('above max-memory new requests are refused, the log says so once, and the admin side still answers', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end('ok'))
  const sentinel = await start(t, upstream.port, 'max-memory "64MiB"')
  const record = await sentinel.logged(({ event }) => event === 'memory-limited')
  assert.match(record.msg!, /\d+ MB of memory are in use, 67 may be/)
  assert.equal((await sentinel.get('/')).status, 503)
  assert.match(await sentinel.metrics(), /^sentinel_memory_limited 1$/m)
  const again = await sentinel.reload(readFileSync(sentinel.file, 'utf8').replace('max-memory "64MiB"', 'max-memory-percent 90'))
  assert.equal(again.event, 'reloaded')
  assert.equal((await sentinel.get('/')).status, 200)
})
