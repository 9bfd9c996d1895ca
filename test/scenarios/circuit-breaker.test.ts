// What keeps failing is left alone, tried again by a few, and asked by all when those went well: a target, an upstream, or an upstream as one route sees it.
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { http2Upstream } from '../support/http2-upstream.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { deadPort, httpUpstream, rawUpstream } from '../support/upstream.ts'

interface App {
  readonly port: number
  /** Of its answers; 0: it does not answer until it is told to. */
  status: number
  requests: number
  readonly held: ServerResponse[]
}

async function app (t: TestContext, name: string): Promise<App> {
  const state: Omit<App, 'port'> = { status: 200, requests: 0, held: [] }
  const { port } = await httpUpstream(t, ({ url }, response) => {
    state.requests++
    if (state.status === 0) state.held.push(response)
    else if (url === '/stream') response.write('begun\n')
    else response.writeHead(url === '/bad' ? 500 : state.status).end(name)
  })
  return Object.assign(state, { port })
}

const config = (targets: readonly number[], upstream: string, more = ''): string => `
  listeners { listener "web" { address "127.0.0.1:0" } }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" }; ${more} }
  upstreams { upstream "app" { ${targets.map((port) => `target "127.0.0.1:${port}"`).join('; ')}; ${upstream} } }
  observability { metrics { address "127.0.0.1:0" } }`

const breaker = (more = ''): string => `circuit-breaker { failure-threshold 3; success-threshold 2; timeout "2s"; ${more} }`

const event = (sentinel: RunningSentinel, name: string) => sentinel.logged((record) => record.event === name)
const statuses = async (sentinel: RunningSentinel, count: number, path = '/'): Promise<number[]> => {
  const found: number[] = []
  for (let i = 0; i < count; i++) found.push((await sentinel.get(path)).status)
  return found
}
const until = async (what: () => boolean): Promise<void> => { while (!what()) await new Promise((resolve) => { setTimeout(resolve, 5) }) }

describe('a circuit breaker of targets', { concurrency: 2 }, () => {
  test('opens after failures in a row: the target is not asked, and a client hears 503 and when to come again', async (t) => {
    const a = await app(t, 'a')
    a.status = 500
    const sentinel = await startSentinel(t, config([a.port], breaker('timeout "20s"').replace('timeout "2s"; ', '')))
    assert.deepEqual(await statuses(sentinel, 5), [500, 500, 500, 503, 503])
    assert.equal(a.requests, 3)
    const { status, headers } = await sentinel.get('/')
    assert.equal(status, 503)
    assert.ok(Number(headers['retry-after']) > 5 && Number(headers['retry-after']) <= 20, `${headers['retry-after']}`)
    assert.equal((await sentinel.accessed((record) => record.status === 503)).fault, 'BREAKER_OPEN')
    assert.match(String((await event(sentinel, 'breaker-open'))['why']), /^3 failures in a row; it is left alone for 20 s/)
    const metrics = await sentinel.metrics()
    assert.match(metrics, new RegExp(`sentinel_circuit_breaker_state\\{scope="target",name="app",target="127.0.0.1:${a.port}"\\} 2`))
    assert.match(metrics, /sentinel_circuit_breaker_openings_total\{.*\} 1/)
    const { text } = await request(sentinel.metricsPort(), '/status')
    assert.match(text.replace(/\s/g, ''), /"reasons":\["open"\].*"breaker":"open"/)
  })

  test('leaves one target alone while the others are asked', async (t) => {
    const b = await app(t, 'b')
    const dead = await deadPort()
    const sentinel = await startSentinel(t, config([dead, b.port], breaker('timeout "20s"').replace('timeout "2s"; ', '')))
    assert.deepEqual(new Set(await statuses(sentinel, 8)), new Set([200]))
    await event(sentinel, 'breaker-open')
    await statuses(sentinel, 4)
    await until(() => sentinel.access.length === 12)
    assert.ok(sentinel.access.slice(8).every((record) => record['tries'] === undefined || record['tries'] === 1), 'nobody tries the dead one first')
  })

  test('lets so many through at a time when its time is over, and closes when so many went well', async (t) => {
    const a = await app(t, 'a')
    a.status = 500
    const sentinel = await startSentinel(t, config([a.port], breaker()))
    await statuses(sentinel, 3)
    await event(sentinel, 'breaker-half-open')
    a.status = 0
    const before = a.requests
    const many = Promise.all(Array.from({ length: 10 }, () => sentinel.get('/')))
    await until(() => a.held.length === 1)
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    assert.equal(a.requests - before, 1, 'one at a time')
    for (const response of a.held) response.end('well')
    assert.deepEqual((await many).map(({ status }) => status).toSorted(), [200, ...Array.from({ length: 9 }, () => 503)])
    a.status = 200
    assert.deepEqual(await statuses(sentinel, 1), [200])
    await event(sentinel, 'breaker-closed')
    assert.deepEqual(new Set((await Promise.all(Array.from({ length: 10 }, () => sentinel.get('/')))).map(({ status }) => status)), new Set([200]))
  })

  test('opens again with the first probe that fails', async (t) => {
    const a = await app(t, 'a')
    a.status = 500
    const sentinel = await startSentinel(t, config([a.port], breaker()))
    await statuses(sentinel, 3)
    await event(sentinel, 'breaker-half-open')
    assert.deepEqual(await statuses(sentinel, 2), [500, 503])
    assert.equal(a.requests, 4)
  })

  test('gets the place of a probe back whose client left, and of one that answered and goes on for ever', async (t) => {
    const a = await app(t, 'a')
    a.status = 500
    const sentinel = await startSentinel(t, config([a.port], breaker()))
    await statuses(sentinel, 3)
    await event(sentinel, 'breaker-half-open')
    a.status = 0
    for (let i = 1; i <= 3; i++) {
      const leaving = new AbortController()
      const gone = fetch(`http://127.0.0.1:${sentinel.port()}/`, { signal: leaving.signal }).catch(() => undefined)
      await until(() => a.held.length === i)
      leaving.abort()
      await gone
      await sentinel.accessed((record) => record.fault === 'CLIENT_GONE' && sentinel.access.filter(({ fault }) => fault === 'CLIENT_GONE').length === i)
    }
    a.status = 200
    const streams = new AbortController()
    for (let i = 0; i < 2; i++) assert.equal((await fetch(`http://127.0.0.1:${sentinel.port()}/stream`, { signal: streams.signal })).status, 200)
    await event(sentinel, 'breaker-closed')
    streams.abort()
  })

  test('counts what the operator says is a failure, and nothing that the client is to blame for', async (t) => {
    const a = await app(t, 'a')
    a.status = 404
    const sentinel = await startSentinel(t, config([a.port], breaker('failure-status 429 503')))
    assert.deepEqual(new Set(await statuses(sentinel, 6)), new Set([404]))
    a.status = 500
    assert.deepEqual(new Set(await statuses(sentinel, 6)), new Set([500]))
    a.status = 429
    assert.deepEqual(await statuses(sentinel, 4), [429, 429, 429, 503])
  })

  test('hears calls of gRPC that end at once because the server failed, and not those whose client is to blame', async (t) => {
    let code = 5
    const upstream = await http2Upstream(t, (_, response) => response.stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': code }, { endStream: true }))
    const sentinel = await startSentinel(t, config([upstream.port], `http-version { min-version 2 }; ${breaker('')}`))
    assert.deepEqual(new Set(await statuses(sentinel, 6)), new Set([200]))
    code = 14
    assert.deepEqual(await statuses(sentinel, 4), [200, 200, 200, 503])
  })

  test('takes no connection that its target closes at the moment of its next use for a failure of the target', async (t) => {
    const served = new WeakSet<Socket>()
    const upstream = await rawUpstream(t, ({ socket }) => {
      if (served.has(socket)) return void socket.destroy()
      served.add(socket)
      socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    })
    const sentinel = await startSentinel(t, config([upstream.port], 'circuit-breaker { failure-threshold 1 }'))
    assert.deepEqual(new Set(await statuses(sentinel, 8)), new Set([200]))
    assert.ok(upstream.connections >= 8, 'each was used twice, and closed')
    assert.ok(!sentinel.log.some((record) => record.event === 'breaker-open'))
  })

  test('stays open through a reload that is about something else', async (t) => {
    const a = await app(t, 'a')
    a.status = 500
    const long = breaker('timeout "20s"').replace('timeout "2s"; ', '')
    const sentinel = await startSentinel(t, config([a.port], long))
    await statuses(sentinel, 3)
    assert.equal((await sentinel.reload(config([a.port], long, 'route "more" { matches { path-prefix "/more" }; upstream "app" }'))).event, 'reloaded')
    assert.deepEqual(await statuses(sentinel, 2), [503, 503])
    assert.equal((await sentinel.reload(config([a.port], ''))).event, 'reloaded')
    assert.deepEqual(await statuses(sentinel, 2), [500, 500], 'without a breaker nothing is left alone')
  })
})

test('a circuit breaker of an upstream counts over all its targets', async (t) => {
  const [a, b] = [await app(t, 'a'), await app(t, 'b')]
  a.status = b.status = 500
  const sentinel = await startSentinel(t, config([a.port, b.port], breaker('scope "upstream"')))
  assert.deepEqual(await statuses(sentinel, 4), [500, 500, 500, 503])
  assert.equal(a.requests + b.requests, 3)
  assert.equal((await event(sentinel, 'breaker-open'))['gate'], 'upstream app')
  assert.match(await sentinel.metrics(), /sentinel_circuit_breaker_state\{scope="upstream",name="app",target=""\} [12]/)
  await event(sentinel, 'breaker-half-open')
  a.status = b.status = 200
  assert.deepEqual(await statuses(sentinel, 3), [200, 200, 200])
  await event(sentinel, 'breaker-closed')
})

test('a circuit breaker of a route leaves alone what fails on that route; others go on', async (t) => {
  const a = await app(t, 'a')
  const sentinel = await startSentinel(t, config([a.port], '', `route "bad" { matches { path "/bad" }; upstream "app"; ${breaker('timeout "20s"').replace('timeout "2s"; ', '')} }`))
  assert.deepEqual(await statuses(sentinel, 5, '/bad'), [500, 500, 500, 503, 503])
  assert.deepEqual(await statuses(sentinel, 2), [200, 200])
  const { fault, route } = await sentinel.accessed((record) => record.status === 503)
  assert.deepEqual([fault, route], ['BREAKER_OPEN', 'bad'])
})
