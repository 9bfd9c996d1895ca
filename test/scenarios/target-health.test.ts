// Targets that are checked, ejected and drained: who is asked, who is not, and what the operator sees of it.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort, httpUpstream, rawUpstream, type TestUpstream } from '../support/upstream.ts'

interface App extends TestUpstream {
  /** What it answers to checks, and to everybody else. */
  health: { status: number, body: string }
  status: number
  /** Before it answers those who are no checks. */
  delayMs: number
  readonly checks: number
}

async function app (t: TestContext, name: string): Promise<App> {
  const state = { health: { status: 200, body: 'up' }, status: 200, delayMs: 0, checks: 0 }
  const upstream = await httpUpstream(t, ({ url }, response) => {
    if (url === '/health') {
      state.checks++
      response.writeHead(state.health.status).end(state.health.body)
    } else {
      setTimeout(() => response.writeHead(state.status).end(name), state.delayMs)
    }
  })
  return Object.assign(state, { port: upstream.port, connections: 0, sockets: upstream.sockets })
}

const config = (targets: readonly (number | string)[], more: string, extra = ''): string => `
  listeners { listener "web" { address "127.0.0.1:0" } }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" }; ${extra} }
  upstreams { upstream "app" { ${targets.map((target) => `target "${typeof target === 'number' ? `127.0.0.1:${target}` : target}"`).join('; ')}; ${more} } }
  observability { metrics { address "127.0.0.1:0" } }`

const check = (more = ''): string => `health-check { path "/health"; interval "50ms"; timeout "200ms"; healthy-threshold 2; unhealthy-threshold 2; ${more} }`

/** Statuses and texts of so many answers, sorted, each once. */
async function answers (sentinel: RunningSentinel, count = 6): Promise<string[]> {
  const found = new Set<string>()
  for (let i = 0; i < count; i++) {
    const { status, text } = await sentinel.get('/')
    found.add(status === 200 ? text : String(status))
  }
  return [...found].toSorted()
}

const event = (sentinel: RunningSentinel, name: string, port?: number) =>
  sentinel.logged((record) => record.event === name && (port === undefined || record['target'] === `127.0.0.1:${port}`))

interface SeenTarget { name: string, up: boolean, reasons: string[], why?: string, healthy?: boolean, breaker?: string }

async function seen (sentinel: RunningSentinel): Promise<SeenTarget[]> {
  const { text } = await request(sentinel.metricsPort(), '/status')
  return (JSON.parse(text) as { upstreams: Array<{ targets: SeenTarget[] }> }).upstreams[0]!.targets // The shape of StatusJson.
}

describe('a target that is checked', () => {
  test('gets no request while its checks fail, and gets them again when they are good', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    const sentinel = await startSentinel(t, config([a.port, b.port], check()))
    assert.deepEqual(await answers(sentinel), ['a', 'b'])
    a.health.status = 503
    const down = await event(sentinel, 'target-down', a.port)
    assert.equal(down['why'], 'status 503')
    assert.deepEqual(await answers(sentinel), ['b'])
    const [first, second] = await seen(sentinel)
    assert.deepEqual([first?.up, first?.reasons, first?.why, second?.up, second?.healthy], [false, ['down'], 'status 503', true, true])
    const metrics = await sentinel.metrics()
    assert.match(metrics, new RegExp(`sentinel_upstream_target_up\\{upstream="app",target="127.0.0.1:${a.port}"\\} 0`))
    assert.match(metrics, new RegExp(`sentinel_health_checks_total\\{upstream="app",target="127.0.0.1:${a.port}",result="failure"\\} [1-9]`))
    a.health.status = 200
    await event(sentinel, 'target-up', a.port)
    assert.deepEqual(await answers(sentinel), ['a', 'b'])
  })

  test('is judged by what its answer holds', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    a.health.body = '{"status":"DOWN"}'
    b.health.body = '{"status":"UP"}'
    const sentinel = await startSentinel(t, config([a.port, b.port], check('expected-body #""status":"UP""#')))
    await event(sentinel, 'target-down', a.port)
    assert.deepEqual(await answers(sentinel), ['b'])
  })

  test('is found out even when it accepts and says nothing, and so is one whose name does not resolve; neither keeps the proxy from starting', async (t) => {
    const silent = await rawUpstream(t, () => {})
    const a = await app(t, 'a')
    const sentinel = await startSentinel(t, config([silent.port, 'nobody.invalid:80', a.port], check()))
    await event(sentinel, 'target-down', silent.port)
    await sentinel.logged((record) => record.event === 'target-down' && record['target'] === 'nobody.invalid:80')
    assert.deepEqual(await answers(sentinel), ['a'])
    assert.ok(silent.sockets.size <= 1, 'its checks hold no connections')
  })

  test('leaves the upstream without anybody when all fail: 503, named NO_TARGET', async (t) => {
    const dead = await deadPort()
    const sentinel = await startSentinel(t, config([dead], check()))
    await event(sentinel, 'target-down', dead)
    assert.deepEqual(await answers(sentinel, 1), ['503'])
    assert.equal((await sentinel.accessed(({ status }) => status === 503)).fault, 'NO_TARGET')
  })

  test('stays as it is known through a reload that does not change it, and its checks go on; with other checks it is judged by those', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    const sentinel = await startSentinel(t, config([a.port, b.port], check()))
    a.health.status = 500
    await event(sentinel, 'target-down', a.port)
    const reloaded = await sentinel.reload(config([a.port, b.port], check(), 'route "more" { matches { path-prefix "/more" }; upstream "app" }'))
    assert.equal(reloaded.event, 'reloaded', reloaded.msg)
    assert.deepEqual(await answers(sentinel), ['b'], 'from the first request on')
    assert.equal(sentinel.log.filter((record) => record.event === 'target-down').length, 1, 'nothing was found out anew')
    await sentinel.reload(config([a.port, b.port], check('expected-status 200 500')))
    await event(sentinel, 'target-up', a.port)
    assert.deepEqual(await answers(sentinel), ['a', 'b'])
    await sentinel.reload(config([a.port, b.port], ''))
    const { checks } = a
    await new Promise((resolve) => { setTimeout(resolve, 200) })
    assert.ok(a.checks <= checks + 1, 'nobody checks what nobody asked to be checked')
  })
})

describe('a target that answers worse than the others', () => {
  const outliers = 'outlier-detection { consecutive-errors 3; base-ejection-time "400ms"; interval "100ms"; max-ejection-percent 50; min-requests 4; latency-factor 4; error-rate 30 }'

  test('is ejected after failures in a row, and comes back when its time is over', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    const sentinel = await startSentinel(t, config([a.port, b.port], outliers))
    a.status = 500
    for (let i = 0; i < 6; i++) await sentinel.get('/')
    assert.equal((await event(sentinel, 'target-ejected', a.port))['why'], '3 failures in a row')
    assert.deepEqual(await answers(sentinel), ['b'])
    assert.deepEqual((await seen(sentinel))[0]?.reasons, ['ejected'])
    assert.match(await sentinel.metrics(), new RegExp(`sentinel_upstream_target_ejections_total\\{upstream="app",target="127.0.0.1:${a.port}"\\} 1`))
    a.status = 200
    await event(sentinel, 'target-returned', a.port)
    assert.deepEqual(await answers(sentinel), ['a', 'b'])
  })

  test('is ejected for being many times slower', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    a.delayMs = 60
    const sentinel = await startSentinel(t, config([a.port, b.port], outliers.replace('interval "100ms"', 'interval "1s"').replace('latency-factor 4', 'latency-factor 3')))
    for (let i = 0; i < 12; i++) await sentinel.get('/')
    assert.match(String((await event(sentinel, 'target-ejected', a.port))['why']), /^answers took \d+ ms in the mean, those of others \d+ ms/)
    assert.deepEqual(await answers(sentinel, 4), ['b'])
  })

  test('stays when it is the last one that is well', async (t) => {
    const [a, b] = [await app(t, 'a'), await app(t, 'b')]
    b.health.status = 503
    const sentinel = await startSentinel(t, config([a.port, b.port], `${check()}; ${outliers}`))
    await event(sentinel, 'target-down', b.port)
    a.status = 500
    assert.deepEqual(await answers(sentinel, 10), ['500'])
    assert.ok(!sentinel.log.some((record) => record.event === 'target-ejected'))
  })
})
