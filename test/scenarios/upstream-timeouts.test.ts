// Every wait for a target has its time-out, each says which one it was, and a route may have its own.
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import type { Timeouts } from '../../proxy/upstreams/index.ts'
import { atATime } from '../support/at-a-time.ts'
import { http2Upstream } from '../support/http2-upstream.ts'
import { startProxy, type ProxyGiven } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { httpUpstream, rawUpstream } from '../support/upstream.ts'

const waiting = atATime(3)

const http2 = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
const soon = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

/** Ways to say the same: by the upstream, and by the route in place of an upstream that would wait much longer. */
const ways = (timeouts: Partial<Timeouts>): ReadonlyArray<readonly [string, Partial<ProxyGiven>]> => [
  ['of the upstream', { upstream: timeouts }], ['of the route', { policy: { timeouts } }],
]

/** Answers its head at once, then a piece every 50 ms; with `whole`, ends after so many. */
function drops (whole: number) {
  return (response: { write (text: string): unknown, end (): unknown, once (event: 'close', act: () => void): unknown }): void => {
    let said = 0
    response.once('close', () => clearInterval(timer))
    const timer = setInterval(() => {
      if (said++ < whole) return void response.write('drop')
      clearInterval(timer)
      response.end()
    }, 50)
  }
}

for (const [way, given] of ways({ firstByteTimeoutMs: 1_000 })) {
  describe(`first-byte ${way}`, { concurrency: true }, () => {
    test('ends the wait for the head of an answer, in both versions of HTTP', async (t) => {
      const silent = await rawUpstream(t, () => { /* nothing */ })
      const silentStream = await http2Upstream(t, () => { /* nothing */ })
      for (const [target, more] of [[silent.port, {}], [silentStream.port, { http2 }]] as const) {
        const { port, exchange } = await startProxy(t, { targets: [target], ...given, upstream: { ...given.upstream, ...more } })
        const { status, ms } = await request(port, '/')
        assert.equal(status, 504)
        assert.ok(ms >= 995 && ms < 20_000, `${ms} ms`)
        const { fault } = await exchange(1)
        assert.deepEqual([fault?.code, fault?.detail], ['UPSTREAM_TIMEOUT', 'waiting for the response head took more than 1000 ms'])
      }
    })

    test('says nothing about the pieces of the body', async (t) => {
      const slow = await httpUpstream(t, (_incoming, response) => {
        response.write('a')
        setTimeout(() => response.end('b'), 1_500)
      })
      const { port } = await startProxy(t, { targets: [slow.port], ...given })
      assert.equal((await request(port, '/')).text, 'ab')
    })
  })
}

for (const [way, given] of ways({ readTimeoutMs: 500 })) {
  waiting(`read ${way} ends the wait for a piece of the body, and for the head where nothing else is said`, async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (received.includes('/begin')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc') })
    const { port, exchange } = await startProxy(t, { targets: [upstream.port], ...given })
    assert.equal((await request(port, '/')).status, 504)
    const client = await rawClient(t, port, 'GET /begin HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.ended()
    const details = [(await exchange(1)).fault?.detail, (await exchange(2)).fault?.detail]
    assert.deepEqual(details, ['waiting for the response head took more than 500 ms', 'waiting for a piece of the body took more than 500 ms'])
  })
}

for (const [way, given] of ways({ writeTimeoutMs: 150 })) {
  waiting(`write ${way} ends the wait for a target that takes no more of the request`, async (t) => {
    const deaf = createServer((socket) => {
      socket.pause().on('error', () => { /* it is cut */ })
      t.after(() => socket.destroy())
    })
    await new Promise<void>((resolve) => { deaf.listen(0, '127.0.0.1', resolve) })
    t.after(() => deaf.close())
    const address = deaf.address()
    assert.ok(typeof address === 'object' && address !== null)
    const { port, exchange } = await startProxy(t, { targets: [address.port], ...given })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 30000000\r\n\r\n')
    client.send(Buffer.alloc(30_000_000))
    assert.equal((await client.answer()).status, 504)
    const { fault } = await exchange(1)
    assert.deepEqual([fault?.code, fault?.detail], ['UPSTREAM_TIMEOUT', 'sending the request body took more than 150 ms'])
  })
}

for (const [way, given] of ways({ connectTimeoutMs: 150 })) {
  waiting(`connect ${way} ends the wait for a connection, its TLS handshake included`, async (t) => {
    const mute = await rawUpstream(t, () => { /* no handshake */ })
    const { port, exchange } = await startProxy(t, { targets: [mute.port], ...given, upstream: { ...given.upstream, tls: { insecureSkipVerify: true } } })
    assert.equal((await request(port, '/')).status, 502)
    const { fault } = await exchange(1)
    assert.deepEqual([fault?.code, fault?.detail], ['UPSTREAM_CONNECT', 'connecting took more than 150 ms'])
  })
}

for (const [way, given] of ways({ requestTimeoutMs: 1_000 })) {
  describe(`request ${way}`, { concurrency: true }, () => {
    const start = async (t: TestContext, overHttp2: boolean, whole: number): Promise<Awaited<ReturnType<typeof startProxy>>> => {
      const say = drops(whole)
      const target = overHttp2 ? await http2Upstream(t, (_incoming, response) => say(response)) : await httpUpstream(t, (_incoming, response) => say(response))
      return startProxy(t, { targets: [target.port], ...given, upstream: { ...given.upstream, ...overHttp2 ? { http2 } : {} } })
    }

    test('cuts an exchange that goes on for longer, whatever flows', async (t) => {
      for (const overHttp2 of [false, true]) {
        const { port, exchange } = await start(t, overHttp2, 1_000)
        const startedMs = performance.now()
        await assert.rejects(request(port, '/'))
        assert.ok(performance.now() - startedMs >= 990)
        const { fault } = await exchange(1)
        assert.deepEqual([fault?.code, fault?.detail], ['UPSTREAM_TIMEOUT', 'the whole exchange took more than 1000 ms'])
      }
    })

    test('leaves alone what is over before', async (t) => {
      const fast = await httpUpstream(t, (_incoming, response) => { response.end('fast') })
      const { port } = await startProxy(t, { targets: [fast.port], ...given })
      assert.equal((await request(port, '/')).text, 'fast')
    })

    test('cuts no tunnel', async (t) => {
      const upstream = await rawUpstream(t, ({ socket, received }) => {
        if (received.endsWith('\r\n\r\n')) socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n')
        else socket.write('echo')
      })
      const { port } = await startProxy(t, { targets: [upstream.port], ...given, upgrades: true })
      const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n')
      await client.until('101')
      await soon(1_500)
      client.send('hello')
      await client.until('echo')
    })
  })
}

waiting('without a time-out of the whole exchange, what flows flows', async (t) => {
  const say = drops(24)
  const upstream = await httpUpstream(t, (_incoming, response) => say(response))
  const { port } = await startProxy(t, { targets: [upstream.port], upstream: { readTimeoutMs: 10_000 } })
  assert.equal((await request(port, '/')).text, 'drop'.repeat(24))
})

waiting('a route with less patience than its upstream is not late: connections look at the clock as often as the most impatient needs', async (t) => {
  const silent = await rawUpstream(t, () => { /* nothing */ })
  const { port } = await startProxy(t, {
    targets: [silent.port], upstream: { connectTimeoutMs: 60_000, readTimeoutMs: 60_000, writeTimeoutMs: 60_000, poolIdleMs: 60_000 }, policy: { timeouts: { readTimeoutMs: 40 } },
  })
  const took: number[] = []
  for (let i = 0; i < 4; i++) took.push((await request(port, '/')).ms)
  assert.ok(Math.min(...took) < 150, `${took.join(', ')} ms`)
})
