import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import type { Exchange, Filter } from '../../proxy/pipeline/exchange.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { fixedUpstream, httpUpstream, rawUpstream, type RawConnection } from '../support/upstream.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const soon = (ms = 50): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

/** Answers of one client to so many requests, one after the other. */
async function bodies (client: RawClient, count: number): Promise<string[]> {
  const got: string[] = []
  for (let i = 0; i < count; i++) {
    client.send(get)
    got.push((await client.answer()).body)
  }
  return got
}

describe('a request on its way to a target', () => {
  test('has its trailers forwarded, without those that only the proxy may write', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (/\r\n0\r\n[^]*\r\n\r\n$/.test(received)) socket.end(`HTTP/1.1 200 OK\r\n\r\n${received}`) })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const trailers = ['X-Sum: 1', 'x-sum: 2', 'X-Forwarded-For: 6.6.6.6', 'X_Real_IP: 6.6.6.6', 'X-Forwarded-User: root', 'Proxy: evil', 'Cookie: evil']
    const client = await rawClient(t, port, `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n${trailers.join('\r\n')}\r\n\r\n`)
    const { body } = await client.answer()
    assert.match(body, /\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\nx-sum: 2\r\n\r\n$/)
  })

  test('does not wait for its body: a target may answer to the head alone', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (received.includes('\r\n\r\n')) socket.write('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno') })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n')
    assert.deepEqual([(await client.answer()).status], [401])
  })

  test('cannot be split by what a filter writes into it', async (t) => {
    let heard = ''
    const upstream = await rawUpstream(t, ({ socket, received }) => { heard = received; socket.write(ok) })
    const edits: ReadonlyArray<(x: Exchange) => void> = [
      (x) => { x.request.headers.set('X-A', 'b\r\n\r\nGET /evil HTTP/1.1') }, (x) => { x.request.headers.append('X: y\r\nB', 'c') },
      (x) => { x.request.upstreamPath = '/ HTTP/1.1\r\nX: y' }, (x) => { x.request.query = 'a b' }, (x) => { x.request.method = 'GET /evil' },
    ]
    for (const edit of edits) {
      const { port, exchange } = await startProxy(t, { targets: [upstream.port], filters: [{ name: 'evil', onRequest: (x) => { edit(x); return undefined } }] })
      assert.equal((await (await rawClient(t, port, get)).answer()).status, 500)
      assert.equal((await exchange(1)).fault?.code, 'INTERNAL')
    }
    assert.equal(heard, '')
  })

  test('never claims another length than its body has', async (t) => {
    let heard = ''
    const upstream = await rawUpstream(t, ({ received }) => { heard = received })
    const longer: Filter = { name: 'longer', onRequest (x) { x.requestBody = { ...bodyOf(Buffer.from('abcdef')), length: 3 }; return undefined } }
    const { port, exchange } = await startProxy(t, { targets: [upstream.port], filters: [longer] })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx')
    assert.equal((await client.answer()).status, 500)
    assert.equal((await exchange(1)).fault?.code, 'INTERNAL')
    assert.doesNotMatch(heard, /def/)
  })
})

describe('an answer', () => {
  test('has its head passed on before any of its body is there', async (t) => {
    const rest = deferred<RawConnection['socket']>()
    const upstream = await rawUpstream(t, ({ socket }) => { socket.write('HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 2\r\n\r\n'); rest.resolve(socket) })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    assert.match(await client.until('\r\n\r\n'), /X-A: 1/)
    const socket = await rest.promise
    socket.write('ok')
    assert.equal((await client.answer()).body, 'ok')
  })

  test('in single bytes is the same answer', async (t) => {
    const upstream = await rawUpstream(t, async ({ socket }) => {
      for (const char of 'HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n\r\n') {
        socket.write(char)
        await new Promise((resolve) => { setImmediate(resolve) })
      }
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    for (let i = 0; i < 2; i++) {
      client.send(get)
      assert.equal((await client.answer()).status, 103)
      const answer = await client.answer()
      assert.deepEqual([answer.status, answer.header('x-a'), answer.body], [200, '1', 'abc'])
    }
    assert.equal(upstream.connections, 1)
  })

  test('is complete before the request is: it is passed on, the upload stops, and the connection is not used again', async (t) => {
    const closed = deferred()
    const upstream = await rawUpstream(t, ({ socket, received, index }) => {
      if (index > 0) return void socket.write(ok)
      socket.once('close', () => closed.resolve())
      if (received.includes('abc')) socket.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno')
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
    const answer = await client.answer()
    assert.deepEqual([answer.status, answer.body], [413, 'no'])
    await closed.promise
    assert.deepEqual(await bodies(await rawClient(t, port), 2), ['ok', 'ok'])
    assert.equal(upstream.connections, 2)
  })

  test('is interim: it is no answer', async (t) => {
    const upstream = await fixedUpstream(t, `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok}`)
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.0\r\n\r\n')
    assert.match(await client.ended(), /^HTTP\/1\.1 200 [^]*\r\nok$/)
  })

  for (const [what, answer] of [
    ['of HTTP/1.0', 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok'], ['that says close', 'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'],
    ['with a byte too many', `${ok}x`], ['with another answer behind it', `${ok}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`],
    ['to nobody, an instant later', ok],
  ] as const) {
    test(`${what} is the last of its connection, and poisons no other`, async (t) => {
      const upstream = await rawUpstream(t, ({ socket }) => {
        socket.write(answer)
        if (what.startsWith('to nobody')) setTimeout(() => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'), 10)
      })
      const { port, done } = await startProxy(t, { targets: [upstream.port] })
      const client = await rawClient(t, port)
      for (let i = 0; i < 4; i++) {
        assert.deepEqual(await bodies(client, 1), ['ok'])
        await eventually('the connection is given up', () => upstream.sockets.size === 0)
      }
      assert.equal(upstream.connections, 4)
      assert.ok(done.every((x) => x.tries === 1 && x.fault === undefined))
    })
  }

  test('that nobody reads leaves the connection in order when it is whole, and is let go when it is not', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      socket.write(received.includes('HEAD') ? 'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n' : ok)
    })
    const other: Filter = { name: 'other', onResponse: (_x, reply) => { reply.body?.cancel(); return { ...reply, body: bodyOf(Buffer.from('mine')) } } }
    const { port } = await startProxy(t, { targets: [upstream.port], filters: [other] })
    assert.deepEqual(await bodies(await rawClient(t, port), 3), ['mine', 'mine', 'mine'])
  })
})

describe('connections to a target', () => {
  test('are used last in, first out, and close when nobody needs them', async (t) => {
    const held: Array<() => void> = []
    const upstream = await httpUpstream(t, (message, response) => { if (message.url === '/hold') held.push(() => response.end('ok')); else response.end('ok') })
    const proxy = await startProxy(t, { targets: [upstream.port], upstream: { poolIdleMs: 1_500 } })
    const clients = await Promise.all([1, 2, 3].map(() => rawClient(t, proxy.port, 'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')))
    await eventually('all are held', () => held.length === 3)
    for (const letGo of held) letGo()
    await Promise.all(clients.map((client) => client.answer()))
    assert.equal(proxy.upstream.targets[0]!.connections, 3)
    await eventually('those that are not needed close', async () => {
      await bodies(clients[0]!, 1)
      return proxy.upstream.targets[0]!.connections === 1
    })
    assert.equal(upstream.connections, 3)
    await eventually('the last one closes', () => proxy.upstream.targets[0]!.connections === 0 && upstream.sockets.size === 0)
  })

  test('are given up before the target closes them, when it says when', async (t) => {
    const upstream = await fixedUpstream(t, 'HTTP/1.1 200 OK\r\nKeep-Alive: timeout=3\r\nContent-Length: 2\r\n\r\nok')
    const proxy = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, proxy.port)
    await bodies(client, 2)
    assert.equal(upstream.connections, 1)
    await soon(2_100)
    await bodies(client, 1)
    assert.equal(upstream.connections, 2)
  })

  test('have no listeners or watchers left on them after many exchanges', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { message.pipe(response) })
    const warnings: Error[] = []
    const note = (warning: Error): void => { warnings.push(warning) }
    process.on('warning', note)
    t.after(() => process.off('warning', note))
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    for (let i = 0; i < 50; i++) {
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
      assert.equal((await client.answer()).body, 'abc')
    }
    assert.equal(upstream.connections, 1)
    assert.deepEqual(warnings, [])
  })

  test('that never come about are given up in time', async (t) => {
    // Takes the bytes of the handshake and says nothing.
    const upstream = await rawUpstream(t, () => undefined)
    const proxy = await startProxy(t, { targets: [upstream.port], upstream: { tls: {}, connectTimeoutMs: 200 } })
    const client = await rawClient(t, proxy.port, get)
    const startedMs = performance.now()
    assert.equal((await client.answer()).status, 502)
    assert.ok(performance.now() - startedMs < 20_000, 'not the minute of others')
    assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_CONNECT')
    assert.equal(proxy.upstream.targets[0]!.connections, 0)
  })

  test('end with the upstream: those in use when their exchange is over, or at the deadline', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (!received.includes('/hold')) socket.write(ok) })
    const proxy = await startProxy(t, { targets: [upstream.port] })
    await bodies(await rawClient(t, proxy.port), 1)
    const held = await rawClient(t, proxy.port, 'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
    const other = await rawClient(t, proxy.port, 'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
    while (proxy.upstream.targets[0]!.connections < 2) await soon(5)
    other.socket.destroy()
    while (proxy.upstream.targets[0]!.connections > 1) await soon(5)
    const deadline = new AbortController()
    const closing = proxy.upstream.close(deadline.signal)
    await soon()
    deadline.abort()
    await closing
    assert.equal((await held.answer()).status, 503)
    assert.equal(proxy.upstream.targets[0]!.connections, 0)
  })
})
