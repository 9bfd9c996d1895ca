// What fails is tried again where the route says so: within bounds, and never where the client or the target could take harm.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { triesPolicy, type TriesGiven } from '../support/tries-policy.ts'
import { deadPort, httpUpstream, rawUpstream, type TestUpstream } from '../support/upstream.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const busy = 'HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy'

/** A target that answers its n-th request with the n-th of these, and then always with the last; "" = it breaks off, `undefined` = it says nothing. */
async function scripted (t: TestContext, ...answers: ReadonlyArray<string | undefined>): Promise<TestUpstream & { readonly asked: number }> {
  let asked = 0
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    if (!/\r\n\r\n/.test(received.slice(received.lastIndexOf(' HTTP/1.1')))) return
    const answer = answers[Math.min(asked++, answers.length - 1)]
    if (answer === '') socket.resetAndDestroy()
    else if (answer !== undefined) socket.write(answer)
  })
  return Object.defineProperties({ ...upstream, asked: 0 }, {
    asked: { get: () => asked }, connections: { get: () => upstream.connections },
  })
}

function proxyTo (t: TestContext, ports: readonly number[], given: TriesGiven = {}): Promise<TestProxy> {
  return startProxy(t, { targets: ports, policy: { tries: triesPolicy(given) } })
}

describe('an answer', () => {
  test('of a status that the policy names is thrown away, and another target asked', async (t) => {
    const one = await scripted(t, busy)
    const two = await scripted(t, ok)
    const { port, exchange } = await proxyTo(t, [one.port, two.port], { statuses: [503] })
    assert.deepEqual(await request(port, '/').then(({ status, text }) => [status, text]), [200, 'ok'])
    const x = await exchange(1)
    assert.deepEqual([x.tries, x.target, x.fault], [2, `127.0.0.1:${two.port}`, undefined])
    assert.deepEqual(x.attempts?.map(({ target, status, reason }) => [target, status, reason]), [
      [`127.0.0.1:${one.port}`, 503, '503'], [`127.0.0.1:${two.port}`, 200, undefined],
    ])
  })

  test('passes on to the client when tries run out', async (t) => {
    const only = await scripted(t, busy)
    const { port, exchange } = await proxyTo(t, [only.port], { statuses: [503], maxAttempts: 3 })
    assert.deepEqual(await request(port, '/').then(({ status, text }) => [status, text]), [503, 'busy'])
    assert.deepEqual([(await exchange(1)).tries, only.asked], [3, 3])
  })

  test('of another status is nobody\'s business', async (t) => {
    const only = await scripted(t, busy)
    const { port } = await proxyTo(t, [only.port], { statuses: [502] })
    assert.equal((await request(port, '/')).status, 503)
    assert.equal(only.asked, 1)
  })

  test('that is thrown away leaves its connection for the next try; a long one is not waited for', async (t) => {
    let asked = 0
    const short = await httpUpstream(t, (_incoming, response) => {
      if (asked++ > 0) return void response.end()
      response.statusCode = 503
      response.flushHeaders()
      setTimeout(() => response.end('busy'), 30)
    })
    const first = await proxyTo(t, [short.port], { statuses: [503], backOff: { firstMs: 1, mostMs: 1 } })
    assert.equal((await request(first.port, '/')).status, 200)
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    assert.equal(short.sockets.size, short.connections, 'none was closed')
    assert.equal((await request(first.port, '/')).status, 200)
    assert.ok(short.connections <= 2)
    const long = await scripted(t, 'HTTP/1.1 503 Busy\r\nContent-Length: 1000000\r\n\r\nno', ok)
    const second = await proxyTo(t, [long.port], { statuses: [503] })
    assert.equal((await request(second.port, '/')).status, 200)
    assert.equal(long.connections, 2)
  })

  test('that breaks off after its beginning is not asked for again', async (t) => {
    const only = await rawUpstream(t, ({ socket }) => { socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', () => socket.resetAndDestroy()) })
    const { port, exchange } = await proxyTo(t, [only.port])
    const client = await rawClient(t, port, get)
    assert.match(await client.ended(), /abc$/)
    const x = await exchange(1)
    assert.deepEqual([x.tries, x.fault?.code], [1, 'UPSTREAM_RESET'])
  })
})

describe('a target that breaks off before its answer', () => {
  test('is followed by another one', async (t) => {
    const one = await scripted(t, '')
    const two = await scripted(t, ok)
    const { port, exchange } = await proxyTo(t, [one.port, two.port])
    assert.equal((await request(port, '/')).status, 200)
    assert.deepEqual((await exchange(1)).attempts?.map(({ fault, reason }) => [fault, reason]), [['UPSTREAM_RESET', 'reset'], [undefined, undefined]])
  })

  test('is asked again when it is the only one, and when tries run out the fault is the last one', async (t) => {
    const once = await scripted(t, '', ok)
    assert.equal((await request((await proxyTo(t, [once.port])).port, '/')).status, 200)
    const always = await scripted(t, '')
    const { port, exchange } = await proxyTo(t, [always.port])
    assert.equal((await request(port, '/')).status, 502)
    assert.deepEqual([(await exchange(1)).fault?.code, always.asked], ['UPSTREAM_RESET', 3])
  })

  test('does not see a POST again, unless the route says that it may', async (t) => {
    const one = await scripted(t, '', ok)
    const strict = await proxyTo(t, [one.port])
    assert.equal((await request(strict.port, '/', { method: 'POST', body: 'x' })).status, 502)
    assert.equal(one.asked, 1)
    const other = await scripted(t, '', ok)
    const loose = await proxyTo(t, [other.port], { nonIdempotent: true })
    assert.equal((await request(loose.port, '/', { method: 'POST', body: 'x' })).status, 200)
  })

  test('is left alone where the policy does not name that', async (t) => {
    const one = await scripted(t, '', ok)
    assert.equal((await request((await proxyTo(t, [one.port], { on: ['connect-failure'] })).port, '/')).status, 502)
    assert.equal(one.asked, 1)
  })
})

describe('a target that cannot be reached', () => {
  test('is followed by another one at once, whatever the method and the budget', async (t) => {
    const dead = await deadPort()
    const alive = await scripted(t, ok)
    const { port, exchange } = await proxyTo(t, [dead, alive.port], { backOff: { firstMs: 60_000, mostMs: 60_000 }, budget: { percent: 0, minPerSecond: 0 } })
    for (let i = 1; i <= 4; i++) {
      assert.equal((await request(port, '/', { method: 'POST', body: 'abc' })).status, 200)
      assert.ok((await exchange(i)).tries <= 2)
    }
  })

  test('and is the only one, is tried again after a wait', async (t) => {
    const { port, exchange } = await proxyTo(t, [await deadPort()], { maxAttempts: 4 })
    assert.equal((await request(port, '/')).status, 502)
    const x = await exchange(1)
    assert.deepEqual([x.tries, x.fault?.code, x.attempts?.length], [4, 'UPSTREAM_CONNECT', 4])
  })
})

describe('what is not valid HTTP', () => {
  test('is not asked for again', async (t) => {
    const only = await scripted(t, 'hello\r\n\r\n', ok)
    const { port } = await proxyTo(t, [only.port], { statuses: [502], on: ['connect-failure', 'reset', 'timeout'] })
    assert.equal((await request(port, '/')).status, 502)
    assert.equal(only.asked, 1)
  })
})

describe('time', { concurrency: true }, () => {
  test('for one try is up: another target is asked', async (t) => {
    const silent = await scripted(t, undefined)
    const fast = await scripted(t, ok)
    const { port, exchange } = await proxyTo(t, [silent.port, fast.port], { on: ['connect-failure', 'timeout'], attemptTimeoutMs: 1_000 })
    assert.equal((await request(port, '/')).status, 200)
    assert.deepEqual((await exchange(1)).attempts?.map(({ fault, reason }) => [fault, reason]), [['UPSTREAM_TIMEOUT', 'timeout'], [undefined, undefined]])
    await eventually('what comes too late is not waited for', () => silent.sockets.size === 0)
  })

  test('for one try says so when it was the last one', async (t) => {
    const silent = await scripted(t, undefined)
    const { port, exchange } = await proxyTo(t, [silent.port], { on: ['timeout'], attemptTimeoutMs: 50, maxAttempts: 2 })
    assert.equal((await request(port, '/')).status, 504)
    const x = await exchange(1)
    assert.deepEqual([x.tries, x.fault?.code, x.fault?.detail], [2, 'UPSTREAM_TIMEOUT', 'this try took more than 50 ms'])
  })

  test('that an answer takes is no matter of the time for one try', async (t) => {
    const slow = await httpUpstream(t, (_request, response) => {
      response.write('a')
      setTimeout(() => response.end('b'), 1_500)
    })
    const { port } = await proxyTo(t, [slow.port], { attemptTimeoutMs: 1_000 })
    assert.equal((await request(port, '/')).text, 'ab')
  })

  test('that an answer wants to be left alone for is waited, up to the longest wait', async (t) => {
    for (const [wish, leastMs, mostMs] of [['1', 200, 900], ['3600', 200, 2_000]] as const) {
      const only = await scripted(t, `HTTP/1.1 503 Busy\r\nRetry-After: ${wish}\r\nContent-Length: 0\r\n\r\n`, ok)
      const { port } = await proxyTo(t, [only.port], { statuses: [503], backOff: { firstMs: 1, mostMs: 200 } })
      const { status, ms } = await request(port, '/')
      assert.equal(status, 200)
      assert.ok(ms >= leastMs - 5 && ms < mostMs * 5, `${ms} ms`)
    }
  })

  test('of the whole exchange ends tries as well', async (t) => {
    const silent = await scripted(t, undefined)
    const tries = triesPolicy({ on: ['timeout'], attemptTimeoutMs: 400, maxAttempts: 100 })
    const { port, exchange } = await startProxy(t, { targets: [silent.port], policy: { tries, timeouts: { requestTimeoutMs: 2_000 } } })
    const { status, ms } = await request(port, '/')
    assert.equal(status, 504)
    assert.ok(ms < 20_000, `${ms} ms`)
    const x = await exchange(1)
    assert.ok(x.tries >= 2 && x.tries <= 6, `${x.tries} tries`)
  })
})

test('a client that leaves while the next try is waited for ends it at once', async (t) => {
  const only = await scripted(t, busy)
  const { port, done, exchange } = await proxyTo(t, [only.port], { statuses: [503], backOff: { firstMs: 60_000, mostMs: 60_000 } })
  const client = await rawClient(t, port, get)
  await eventually('it was asked', () => only.asked > 0)
  await new Promise((resolve) => { setTimeout(resolve, 50) })
  assert.equal(done.length, 0)
  const leftMs = performance.now()
  client.socket.destroy()
  const x = await exchange(1)
  assert.ok(performance.now() - leftMs < 20_000, 'not a minute')
  assert.deepEqual([x.fault?.code, x.tries, only.asked], ['CLIENT_GONE', 1, 1])
})

test('a tunnel is asked for as if there were no policy', async (t) => {
  const only = await scripted(t, busy)
  const { port } = await startProxy(t, { targets: [only.port], policy: { tries: triesPolicy({ statuses: [503] }) }, upgrades: true })
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
  assert.equal((await client.answer()).status, 503)
  assert.equal(only.asked, 1)
})
