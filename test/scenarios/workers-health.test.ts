// Several workers and one judge: what one of them saw counts for all, and what is known outlives the worker that saw it.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { folderWith } from '../support/folder.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'

const test = atATime(3)

interface App { readonly port: number, status: number, health: number, requests: number, checks: number }

async function app (t: TestContext): Promise<App> {
  const state = { status: 200, health: 200, requests: 0, checks: 0 }
  const { port } = await httpUpstream(t, ({ url }, response) => {
    if (url === '/health') state.checks++
    else state.requests++
    response.writeHead(url === '/health' ? state.health : state.status).end()
  })
  return Object.assign(state, { port })
}

const config = (port: number, upstream: string): string => `
  system { worker-threads 2 }
  listeners { listener "web" { address "127.0.0.1:0" } }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
  upstreams { upstream "app" { target "127.0.0.1:${port}"; ${upstream} } }
  observability { metrics { address "127.0.0.1:0" } }`

interface Status { readonly workers: ReadonlyArray<{ readonly pid: number }>, readonly upstreams: ReadonlyArray<{ readonly targets: ReadonlyArray<{ readonly reasons: readonly string[] }> }> }

async function statusOf (sentinel: RunningSentinel): Promise<Status> {
  return JSON.parse((await request(sentinel.metricsPort(), '/status')).text) as Status // The shape of StatusJson.
}

/** Each over a connection of its own, so that both workers get some. */
async function statuses (sentinel: RunningSentinel, count: number): Promise<number[]> {
  const found: number[] = []
  for (let i = 0; i < count; i++) found.push((await sentinel.request('/', { headers: { connection: 'close' } })).status)
  return found
}

const until = (what: () => Promise<boolean>): Promise<void> => eventually('it never came to be', what)

test('a breaker opens by what all workers saw, for all of them, and lets a single probe of all through', async (t) => {
  const a = await app(t)
  a.status = 500
  const sentinel = await startSentinel(t, config(a.port, 'circuit-breaker { failure-threshold 6; success-threshold 1; timeout "5s" }'))
  // No worker alone sees so many before the target is left alone.
  await until(async () => (await statuses(sentinel, 1))[0] === 503)
  assert.ok(a.requests <= 8, `${a.requests} requests`)
  assert.deepEqual(new Set(await statuses(sentinel, 6)), new Set([503]))
  assert.match(await sentinel.metrics(), /sentinel_circuit_breaker_state\{scope="target",name="app",target="[^"]*"\} 2/)
  a.status = 200
  await sentinel.logged(({ event }) => event === 'breaker-half-open')
  await until(async () => (await statuses(sentinel, 4)).every((status) => status === 200))
  await sentinel.logged(({ event }) => event === 'breaker-closed')
})

test('one checker serves all workers, and a worker that takes the place of another knows at once what is known', async (t) => {
  const a = await app(t)
  a.health = 503
  const sentinel = await startSentinel(t, config(a.port, 'health-check { path "/health"; interval "100ms"; unhealthy-threshold 1 }'))
  await sentinel.logged(({ event }) => event === 'target-down')
  await until(async () => (await statuses(sentinel, 6)).every((status) => status === 503))
  const [before, fromMs] = [a.checks, performance.now()]
  await new Promise((resolve) => { setTimeout(resolve, 500) })
  const intervals = (performance.now() - fromMs) / 100
  assert.ok(a.checks - before <= intervals + 2, `${a.checks - before} checks in ${intervals} intervals`)
  const { workers, upstreams } = await statusOf(sentinel)
  assert.deepEqual(upstreams[0]?.targets[0]?.reasons, ['down'])
  process.kill(workers[0]!.pid, 'SIGKILL')
  await sentinel.logged(({ event }) => event === 'worker-replaced')
  assert.deepEqual(new Set(await statuses(sentinel, 12)), new Set([503]))
  assert.equal(a.requests, 0, 'nobody ever asked it')
})

test('a worker that takes long to load, as on a small or busy machine, is waited for', async (t) => {
  const { port } = await app(t)
  const folder = folderWith(t, { 'slow.mjs': 'if (process.argv[1].endsWith("child.js")) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 7500)' })
  const sentinel = await startSentinel(t, config(port, ''), { env: { NODE_OPTIONS: `--import=${join(folder, 'slow.mjs')}` } })
  assert.equal((await sentinel.get('/')).status, 200)
  assert.deepEqual(sentinel.log.filter(({ event }) => event === 'worker-ended'), [])
})
