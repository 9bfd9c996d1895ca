// HTTP/2 to targets: who chooses it, how connections are shared, what is sent again, and how fast each side is.
import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { authority } from '../support/authority.ts'
import { data, frame, headers, setting, types, u32, type H2Frame } from '../support/h2-client.ts'
import { http2Upstream } from '../support/http2-upstream.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { fieldOf, rawHttp2Upstream, type RawHttp2Connection } from '../support/raw-http2-upstream.ts'
import { request } from '../support/request.ts'
import { fixedUpstream } from '../support/upstream.ts'

const always = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
const chosen = { ...always, when: 'chosen' } as const
const ca = authority('targets')
const local = ca.issue('localhost')
const tls = { ca: ca.cert, sni: 'localhost' }
const soon = (ms = 50): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })
const until = async (what: () => boolean): Promise<void> => { while (!what()) await soon(5) }

const start = (t: TestContext, port: number | readonly number[], upstream: ProxyGiven['upstream'] = {}, more: Partial<ProxyGiven> = {}): Promise<TestProxy> =>
  startProxy(t, { targets: typeof port === 'number' ? [port] : port, upstream: { http2: always, ...upstream }, ...more })

const get = async (proxy: TestProxy, path = '/'): Promise<string> => {
  const { status, text } = await request(proxy.port, path)
  return `${status} ${text.length > 40 ? text.length : text}`
}

/** A server of HTTP/1.1 over TLS; how many connections it accepted. */
async function https (t: TestContext, options: object = {}): Promise<{ port: number, connections: () => number }> {
  let connections = 0
  const server = createHttpsServer({ cert: local.cert, key: local.key, ...options }, (_, response) => response.end('one')).on('secureConnection', () => connections++)
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close(); server.closeAllConnections() })
  return { port: (server.address() as AddressInfo).port, connections: () => connections }
}

/** Answers everything with 200 and the text. */
const ok = (connection: RawHttp2Connection, { stream }: H2Frame, text = 'ok'): void => connection.send(headers(stream, [':status', '200'], false), data(stream, text, true))

describe('a target over TLS', () => {
  test('that speaks HTTP/2 is spoken to in it: 200 requests at once share two connections', async (t) => {
    const upstream = await http2Upstream(t, (_, response) => void setTimeout(() => response.end('two'), 20), { tls: local, allowHTTP1: true })
    const proxy = await start(t, upstream.port, { http2: chosen, tls })
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(proxy)))
    assert.deepEqual(new Set(answers), new Set(['200 two']))
    assert.ok(upstream.sessions.length <= 2, `${upstream.sessions.length} connections`)
    assert.equal(await get(proxy), '200 two')
  })

  test('that speaks HTTP/1.1 is found out by one connection, which is used; the others follow', async (t) => {
    const upstream = await https(t)
    const proxy = await start(t, upstream.port, { http2: chosen, tls, poolMaxConnections: 10 })
    assert.equal(await get(proxy), '200 one')
    assert.equal(await get(proxy), '200 one')
    assert.equal(upstream.connections(), 1)
    const answers = await Promise.all(Array.from({ length: 50 }, () => get(proxy)))
    assert.deepEqual(new Set(answers), new Set(['200 one']))
    assert.ok(upstream.connections() <= 10)
  })

  test('is never spoken to in HTTP/2 when only HTTP/1.1 may be', async (t) => {
    const upstream = await http2Upstream(t, (incoming, response) => void response.end(incoming.httpVersion), { tls: local, allowHTTP1: true })
    const proxy = await startProxy(t, { targets: [upstream.port], upstream: { tls } })
    assert.equal(await get(proxy), '200 1.1')
  })

  for (const [what, options] of Object.entries({ 'chooses nothing': {}, 'offers HTTP/1.1 alone': { ALPNProtocols: ['http/1.1'] } })) {
    test(`that ${what} where HTTP/2 must be spoken is a fault of that name`, async (t) => {
      const upstream = await https(t, options)
      const proxy = await start(t, upstream.port, { tls })
      assert.match(await get(proxy), /^502 /)
      assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_HTTP_VERSION')
    })
  }

  test('may change its mind', async (t) => {
    let speaks = 'h2'
    const upstream = await http2Upstream(t, (incoming, response) => void response.end(incoming.httpVersion), {
      tls: local, allowHTTP1: true, ALPNCallback: ({ protocols }: { protocols: string[] }) => protocols.includes(speaks) ? speaks : undefined,
    } as object) // Node 20 has it; its types do not.
    const proxy = await start(t, upstream.port, { http2: chosen, tls, poolIdleMs: 60_000 })
    assert.equal(await get(proxy), '200 2.0')
    speaks = 'http/1.1'
    for (const session of upstream.sessions) session.destroy()
    await until(() => proxy.upstream.targets[0]!.connections === 0)
    assert.equal(await get(proxy), '200 1.1')
    assert.equal(await get(proxy), '200 1.1')
    speaks = 'h2'
    await proxy.upstream.close(AbortSignal.abort())
    // What was believed turns out to be wrong: the next one asks.
    assert.match(await get(proxy), /^502/)
    assert.equal(await get(proxy), '200 2.0')
  })

  test('that wants one request in HTTP/1.1 gets it in that', async (t) => {
    const upstream = await http2Upstream(t, (incoming, response) => {
      if (incoming.httpVersion === '2.0' && incoming.url === '/old') incoming.stream.close(constants.NGHTTP2_HTTP_1_1_REQUIRED)
      else response.end(incoming.httpVersion)
    }, { tls: local, allowHTTP1: true })
    const proxy = await start(t, upstream.port, { http2: chosen, tls })
    assert.equal(await get(proxy, '/'), '200 2.0')
    assert.equal(await get(proxy, '/old'), '200 1.1')
    assert.equal(await get(proxy, '/'), '200 2.0')
  })
})

test('a target without TLS that does not speak HTTP/2 is a fault of that name, and the next one is asked', async (t) => {
  const old = await fixedUpstream(t, 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n')
  const fine = await http2Upstream(t, (_, response) => void response.end('two'))
  const proxy = await start(t, [old.port, fine.port])
  for (let i = 0; i < 4; i++) assert.equal(await get(proxy), '200 two')
  const alone = await start(t, old.port)
  assert.match(await get(alone), /^502/)
  assert.equal((await alone.exchange(1)).fault?.code, 'UPSTREAM_HTTP_VERSION')
})

describe('connections', { concurrency: 3 }, () => {
  test('are opened for as many requests as the target lets into one', async (t) => {
    let most = 0
    let come = 0
    const held: Array<() => void> = []
    const open = new Map<RawHttp2Connection, number>()
    const upstream = await rawHttp2Upstream(t, (connection, one) => {
      if (one.type !== types.headers) return
      const now = (open.get(connection) ?? 0) + 1
      open.set(connection, now)
      most = Math.max(most, now)
      held.push(() => { open.set(connection, open.get(connection)! - 1); ok(connection, one) })
      // The first are answered when there are as many as there may be, and the others at once.
      if (++come >= 6) for (const answer of held.splice(0)) answer()
    }, { first: [setting([3, 2])] })
    const proxy = await start(t, upstream.port, { poolMaxConnections: 3 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => get(proxy)))
    assert.deepEqual(new Set(answers), new Set(['200 ok']))
    assert.deepEqual([most, upstream.connections.length], [2, 3])
  })

  test('hold no more requests than the settings say', async (t) => {
    const held: Array<() => void> = []
    const upstream = await http2Upstream(t, (_, response) => {
      held.push(() => response.end('two'))
      if (held.length === 9) for (const answer of held) answer()
    })
    const proxy = await start(t, upstream.port, { http2: { ...always, maxStreams: 3 } })
    await Promise.all(Array.from({ length: 9 }, () => get(proxy)))
    assert.equal(upstream.connections, 3)
  })

  test('that are full are waited for, by as many as may wait', async (t) => {
    const upstream = await rawHttp2Upstream(t, () => { /* silent */ })
    const proxy = await start(t, upstream.port, { http2: { ...always, maxStreams: 1 }, poolMaxConnections: 1, poolMaxWaiting: 2, connectTimeoutMs: 300, readTimeoutMs: 4_000 })
    const first = get(proxy)
    await until(() => upstream.connections[0]?.frames.some(({ type }) => type === types.headers) === true)
    const answers = await Promise.all(Array.from({ length: 4 }, () => get(proxy)))
    assert.deepEqual(new Set(answers.map((answer) => answer.slice(0, 3))), new Set(['503']))
    assert.match(await first, /^504/)
    const codes = proxy.done.map(({ fault }) => fault?.code)
    assert.deepEqual(codes, [...Array.from({ length: 4 }, () => 'UPSTREAM_BUSY'), 'UPSTREAM_TIMEOUT'])
  })

  test('that nobody uses are closed in time, and so are old ones', async (t) => {
    const upstream = await http2Upstream(t, (_, response) => void response.end('two'))
    const idle = await start(t, upstream.port, { poolIdleMs: 100 })
    await get(idle)
    await until(() => upstream.sessions.every(({ destroyed }) => destroyed) && idle.upstream.targets[0]!.connections === 0)
    const aging = await start(t, upstream.port, { poolMaxAgeMs: 100 })
    await get(aging)
    await soon(150)
    await get(aging)
    assert.equal(upstream.connections, 3)
  })

  test('end with their upstream: open requests go on, and are cut at the deadline', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (one.type === types.headers) setTimeout(() => { if (fieldOf(one, ':path') === '/slow') ok(connection, one) }, 200) })
    const proxy = await start(t, upstream.port)
    const slow = get(proxy, '/slow')
    const never = get(proxy, '/never')
    await until(() => upstream.connections[0]?.frames.filter(({ type }) => type === types.headers).length === 2)
    const deadline = new AbortController()
    const closing = proxy.upstream.close(deadline.signal)
    assert.equal(await slow, '200 ok')
    deadline.abort()
    await closing
    assert.match(await never, /^503/)
    assert.equal((await proxy.exchange(2)).fault?.code, 'SHUTTING_DOWN')
    await until(() => upstream.connections[0]!.closed)
  })

  test('are asked for a sign of life, and end without one', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => {
      // From here on it is not there any more.
      if (fieldOf(one, ':path') === '/dead') connection.socket.pause()
    })
    const proxy = await start(t, upstream.port, { http2: { ...always, pingIntervalMs: 500 } })
    const answer = get(proxy, '/alive')
    await until(() => (upstream.connections[0]?.frames.filter(({ type }) => type === types.ping).length ?? 0) >= 2)
    const dead = get(proxy, '/dead')
    assert.match(await answer, /^504/)
    assert.match(await dead, /^504/)
    assert.match(String(proxy.done[0]?.fault?.detail), /sign of life/)
  })
})

describe('what a target surely did nothing about is sent again', () => {
  test('when it goes away: on another connection, whatever the method', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => {
      if (one.type !== types.headers) return
      if (connection.index === 0) connection.send(frame(types.goAway, 0, 0, u32(0, 0)))
      else ok(connection, one, fieldOf(one, ':method'))
    })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n')
    assert.equal((await client.answer()).body, 'POST')
    assert.equal(upstream.connections.length, 2)
  })

  test('when it refuses a stream: to another target', async (t) => {
    const refusing = await rawHttp2Upstream(t, (connection, { type, stream }) => { if (type === types.headers) connection.send(frame(types.reset, 0, stream, u32(7))) })
    const fine = await http2Upstream(t, (_, response) => void response.end('two'))
    const proxy = await start(t, [refusing.port, fine.port])
    for (let i = 0; i < 6; i++) assert.equal(await get(proxy), '200 two')
    const alone = await start(t, refusing.port)
    assert.match(await get(alone), /^503/)
    assert.deepEqual([alone.done[0]?.fault?.code, alone.done[0]?.tries], ['UPSTREAM_BUSY', 2])
  })

  test('but not when some of its body is gone', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, { type, stream }) => { if (type === types.data) connection.send(frame(types.reset, 0, stream, u32(7))) })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
    assert.equal((await client.answer()).status, 503)
    assert.equal((await proxy.exchange(1)).tries, 1)
  })

  test('and what it said it would still answer is waited for, while others go elsewhere', async (t) => {
    let answerFirst = (): void => {}
    const upstream = await rawHttp2Upstream(t, (connection, one) => {
      if (one.type !== types.headers) return
      if (connection.index === 1) return ok(connection, one, 'second')
      connection.send(frame(types.goAway, 0, 0, u32(one.stream, 0)), frame(types.ping, 0, 0, u32(1, 2)))
      answerFirst = () => ok(connection, one, 'first')
    })
    const proxy = await start(t, upstream.port)
    const first = get(proxy)
    // Who answers the PING has read what stood before it.
    await until(() => upstream.connections[0]?.frames.some(({ type, flags }) => type === types.ping && (flags & 1) === 1) === true)
    assert.equal(await get(proxy), '200 second')
    answerFirst()
    assert.equal(await first, '200 first')
    await until(() => upstream.connections[0]!.closed)
  })

  test('a connection that dies takes its requests with it; those it had not answered may be asked again when it had served others', async (t) => {
    let die = false
    const upstream = await rawHttp2Upstream(t, (connection, one) => {
      if (one.type !== types.headers) return
      if (die && connection.index === 0) connection.socket.destroy()
      else ok(connection, one)
    })
    const proxy = await start(t, upstream.port)
    assert.equal(await get(proxy), '200 ok')
    die = true
    assert.equal(await get(proxy), '200 ok')
    const fresh = await rawHttp2Upstream(t, (connection, { type }) => { if (type === types.headers) connection.socket.destroy() })
    const other = await start(t, fresh.port)
    assert.match(await get(other), /^502/)
    assert.equal((await other.exchange(1)).fault?.code, 'UPSTREAM_RESET')
  })
})

describe('each at its own speed', { concurrency: 2 }, () => {
  test('a client that reads nothing holds up nobody else on the connection, and little is held for it', async (t) => {
    let sent = 0
    const upstream = await http2Upstream(t, (incoming, response) => {
      if (incoming.url !== '/large') return void response.end('small')
      const more = (): void => {
        while (sent < 64 << 20) {
          sent += 64 * 1024
          if (!response.write(Buffer.alloc(64 * 1024))) return void response.once('drain', more)
        }
      }
      more()
    })
    const proxy = await start(t, upstream.port, { readTimeoutMs: 60_000 })
    const slow = await Promise.all(Array.from({ length: 10 }, () => rawClient(t, proxy.port)))
    for (const { socket } of slow) {
      socket.pause()
      socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n')
    }
    let before = -1
    while (before !== sent) {
      before = sent
      await soon(150)
    }
    assert.ok(sent < 60 << 20, `${sent} bytes were taken`)
    for (let i = 0; i < 20; i++) assert.equal(await get(proxy), '200 small')
    assert.equal(upstream.connections, 1)
  })

  test('a target that takes nothing stops the client; the time for it counts', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (fieldOf(one, ':path') === '/other') ok(connection, one) })
    const proxy = await start(t, upstream.port, { writeTimeoutMs: 2_000 })
    const client = await rawClient(t, proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n')
    let taken = 0
    const push = (): void => { if (!client.socket.destroyed && taken < 10_000_000 && client.socket.write(Buffer.alloc(64 * 1024))) { taken += 64 * 1024; setImmediate(push) } }
    push()
    await soon(150)
    assert.equal(await get(proxy, '/other'), '200 ok')
    assert.equal((await client.answer()).status, 504)
    const came = upstream.connections[0]!.frames.filter(({ type }) => type === types.data).reduce((sum, { payload }) => sum + payload.length, 0)
    assert.equal(came, 65_535)
    assert.equal((await proxy.exchange(2)).fault?.code, 'UPSTREAM_TIMEOUT')
    const resetOf = (): H2Frame | undefined => upstream.connections[0]!.frames.find(({ type }) => type === types.reset)
    await until(() => resetOf() !== undefined)
    assert.equal(resetOf()?.payload.readUInt32BE(0), 8)
  })

  test('a client that leaves has its stream cancelled at once, and nobody else\'s', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (fieldOf(one, ':path') === '/other') setTimeout(() => ok(connection, one), 200) })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => upstream.connections[0]?.frames.some(({ type }) => type === types.headers) === true)
    const other = get(proxy, '/other')
    client.socket.destroy()
    const from = performance.now()
    const { frames } = upstream.connections[0]!
    await until(() => frames.some(({ type }) => type === types.reset))
    assert.ok(performance.now() - from < 10_000)
    const reset = frames.find(({ type }) => type === types.reset)!
    assert.deepEqual([reset.stream, reset.payload.readUInt32BE(0)], [1, 8])
    assert.equal(await other, '200 ok')
  })

  test('a request that is not answered in time is reset; the others go on', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (fieldOf(one, ':path') === '/other') ok(connection, one) })
    const proxy = await start(t, upstream.port, { readTimeoutMs: 1_000 })
    const late = get(proxy)
    for (let i = 0; i < 3; i++) {
      await soon(60)
      assert.equal(await get(proxy, '/other'), '200 ok')
    }
    assert.match(await late, /^504/)
    assert.equal(await get(proxy, '/other'), '200 ok')
    assert.equal(upstream.connections.length, 1)
  })
})

describe('the head of a request', () => {
  test('has the pseudo-fields, small letters, and nothing about connections', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (one.type === types.headers) ok(connection, one) })
    const proxy = await start(t, upstream.port)
    const fields = ['Host: shop.test:81', 'X-A:  b ', 'Connection: x-hop, te', 'X-Hop: 1', 'Keep-Alive: 5', 'TE: gzip, trailers', 'Upgrade: h2c', 'Cookie: a=1; b=2', 'Proxy-Connection: close']
    const client = await rawClient(t, proxy.port, `GET /p?q=1 HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`)
    assert.equal((await client.answer()).status, 200)
    const head = upstream.connections[0]!.frames.find(({ type }) => type === types.headers)!
    const known = head.fields.filter((_, at) => !/^x-(?:forwarded|real|request)/.test(head.fields[at - at % 2]!))
    assert.deepEqual(known, [':method', 'GET', ':scheme', 'http', ':authority', 'shop.test:81', ':path', '/p?q=1', 'x-a', 'b', 'cookie', 'a=1; b=2', 'te', 'trailers'])
  })

  test('cannot be made another by what a filter writes into it', async (t) => {
    const upstream = await rawHttp2Upstream(t, (connection, one) => { if (one.type === types.headers) ok(connection, one) })
    const edits: ReadonlyArray<(x: Parameters<NonNullable<NonNullable<ProxyGiven['filters']>[number]['onRequest']>>[0]) => void> = [
      (x) => { x.request.headers.set('X-A', 'b\r\nC: d') }, (x) => { x.request.headers.append(':path', '/evil') }, (x) => { x.request.upstreamPath = '/ x' },
      (x) => { x.request.query = 'a b' }, (x) => { x.request.method = 'GET /' }, (x) => { x.request.headers.append('Host', 'evil') },
    ]
    for (const edit of edits) {
      const proxy = await start(t, upstream.port, {}, { filters: [{ name: 'evil', onRequest: (x) => { edit(x); return undefined } }] })
      assert.match(await get(proxy), /^500/)
      assert.equal((await proxy.exchange(1)).fault?.code, 'INTERNAL')
    }
    assert.equal(upstream.connections.flatMap(({ frames }) => frames).filter(({ type }) => type === types.headers).length, 0)
  })
})
