import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Socket } from 'node:net'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import type { Filter } from '../../proxy/pipeline/exchange.ts'
import { Fault, Refusal } from '../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { deferred } from '../support/deferred.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { deadPort, fixedUpstream, httpUpstream, rawUpstream } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe('a client that leaves', () => {
  test('before the answer: the target is let go within 100 ms', async (t) => {
    await within(100, async () => {
      const asked = deferred<Socket>()
      const upstream = await rawUpstream(t, ({ socket }) => asked.resolve(socket))
      const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
      const client = await rawClient(t, port, get)
      const socket = await asked.promise
      const closed = new Promise((resolve) => { socket.once('close', resolve) })
      const leftMs = performance.now()
      client.socket.destroy()
      await closed
      const ms = performance.now() - leftMs
      assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
      return ms
    })
  })

  test('inside the answer and inside its own body: the same', async (t) => {
    for (const [request, answer] of [[get, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc'], ['POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc', '']]) {
      await within(100, async () => {
        const asked = deferred<Socket>()
        const upstream = await rawUpstream(t, ({ socket, received }) => {
          socket.write(answer!)
          if (request === get || received.includes('abc')) asked.resolve(socket)
        })
        const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
        const client = await rawClient(t, port, request)
        const socket = await asked.promise
        if (answer !== '') await client.until('abc')
        const closed = new Promise((resolve) => { socket.once('close', resolve) })
        const leftMs = performance.now()
        client.socket.destroy()
        await closed
        const ms = performance.now() - leftMs
        assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
        return ms
      })
    }
  })
})

describe('a target that breaks off', () => {
  const cut: ReadonlyArray<[string, string, RegExp]> = [
    ['inside a body of known length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc', /abc$/],
    ['inside a chunked body', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', /3\r\nabc\r\n$/],
    ['inside a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', /abc\r\n$/],
  ]
  for (const [where, answer, received] of cut) {
    for (const how of ['end', 'resetAndDestroy'] as const) {
      test(`${where} (${how}): the client sees a cut answer, not a complete one`, async (t) => {
        const begun = deferred<Socket>()
        const upstream = await rawUpstream(t, ({ socket }) => { socket.write(answer); begun.resolve(socket) })
        const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
        const client = await rawClient(t, port, get)
        await client.until('abc')
        const response = await begun.promise
        response[how]()
        assert.match(await client.ended(), received)
        assert.equal((await exchange(1)).fault?.code, 'UPSTREAM_RESET')
      })
    }
  }

  test('an HTTP/1.0 client sees a reset, because an end would look like the end of the body', async (t) => {
    const begun = deferred<Socket>()
    const upstream = await rawUpstream(t, ({ socket }) => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
      begun.resolve(socket)
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.0\r\n\r\n')
    const reset = new Promise<Error>((resolve) => { client.socket.once('error', resolve) })
    await client.until('abc')
    const upstreamSocket = await begun.promise
    upstreamSocket.destroy()
    assert.match(String(await reset), /ECONNRESET/)
  })

  test('before its answer: 502', async (t) => {
    const upstream = await rawUpstream(t, ({ socket }) => socket.destroy())
    const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
    assert.equal((await (await rawClient(t, port, get)).answer()).status, 502)
    const x = await exchange(1)
    assert.deepEqual([x.fault?.code, x.tries], ['UPSTREAM_RESET', 1])
  })

  test('as it closes an unused connection: a GET is sent again on a new one', async (t) => {
    let requests = 0
    const upstream = await rawUpstream(t, ({ socket, index, received }) => {
      requests++
      if (index % 2 === 0 && received.split('\r\n\r\n').length > 2) socket.destroy()
      else socket.write(ok)
    })
    const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    assert.equal((await client.answer()).status, 200)
    client.send(get)
    assert.equal((await client.answer()).status, 200)
    assert.deepEqual([(await exchange(2)).tries, requests], [2, 3])
  })

  test('as a POST arrives on an unused connection: it is not sent twice', async (t) => {
    let posts = 0
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      if (!received.includes('POST')) socket.write(ok)
      else if (received.endsWith('x')) { posts++; socket.destroy() }
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    assert.equal((await client.answer()).status, 200)
    client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx')
    assert.equal((await client.answer()).status, 502)
    assert.equal(posts, 1)
  })
})

describe('an answer that is not HTTP is 502 with its own code', () => {
  const answers: ReadonlyArray<[string, string]> = [
    ['no status line', 'hello\r\n\r\n'],
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
    ['a coding beside chunked', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
    ['a NUL in a field', 'HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n'],
    ['a bare CR in a field', 'HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n'],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'X: 1234567890\r\n'.repeat(10_000)}`],
  ]
  for (const [why, answer] of answers) {
    test(why, async (t) => {
      const upstream = await fixedUpstream(t, answer)
      const { port, exchange } = await startProxy(t, { targets: [upstream.port] })
      assert.equal((await (await rawClient(t, port, get)).answer()).status, 502)
      assert.equal((await exchange(1)).fault?.code, 'UPSTREAM_PROTOCOL')
    })
  }

  test('bytes behind an answer never become the answer to the next request', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, index }) => socket.write(index === 0 ? ok + 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : ok))
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    for (let i = 0; i < 5; i++) {
      client.send(get)
      assert.equal((await client.answer()).body, 'ok')
    }
  })
})

describe('targets that cannot be reached', () => {
  test('another target is asked when nothing was sent, bodies included', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { message.pipe(response) })
    const dead = await deadPort()
    const { port, done } = await startProxy(t, { targets: [dead, upstream.port] })
    for (let i = 0; i < 6; i++) {
      const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc')
      assert.equal((await client.answer()).body, 'abc')
    }
    assert.ok(done.some((x) => x.tries === 2))
    assert.ok(done.every((x) => x.target === `127.0.0.1:${upstream.port}`))
  })

  test('no target: 502 with what the last one said; weight 0 everywhere: 503', async (t) => {
    const dead = await deadPort()
    const none = await startProxy(t, { targets: [dead, { host: 'name.invalid', port: 80, weight: 1 }] })
    assert.equal((await (await rawClient(t, none.port, get)).answer()).status, 502)
    const x = await none.exchange(1)
    assert.deepEqual([x.fault?.code, x.tries], ['UPSTREAM_CONNECT', 2])
    const off = await startProxy(t, { targets: [{ host: '127.0.0.1', port: dead, weight: 0 }] })
    assert.equal((await (await rawClient(t, off.port, get)).answer()).status, 503)
    assert.equal((await off.exchange(1)).fault?.code, 'NO_TARGET')
  })

  test('weights are kept', async (t) => {
    const counts = [0, 0]
    const upstreams = await Promise.all([0, 1].map((i) => httpUpstream(t, (_message, response) => { counts[i]!++; response.end() })))
    const { port } = await startProxy(t, { targets: upstreams.map((upstream, i) => ({ host: '127.0.0.1', port: upstream.port, weight: i === 0 ? 3 : 1 })) })
    const client = await rawClient(t, port)
    for (let i = 0; i < 40; i++) {
      client.send(get)
      await client.answer()
    }
    assert.deepEqual(counts, [30, 10])
  })

  test('too many exchanges for the pool: the surplus is told so, the others wait their turn', async (t) => {
    const held: Array<() => void> = []
    const upstream = await httpUpstream(t, (_message, response) => { held.push(() => response.end('ok')) })
    const { port, exchange } = await startProxy(t, { targets: [upstream.port], upstream: { poolMaxConnections: 1, poolMaxWaiting: 1 } })
    const first = await rawClient(t, port, get)
    while (held.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
    const second = await rawClient(t, port, get)
    const third = await rawClient(t, port, get)
    const refused = await Promise.race([second, third].map(async (client) => { await client.until('"status":503'); return client }))
    assert.equal((await exchange(1)).fault?.code, 'UPSTREAM_BUSY')
    held[0]!()
    assert.equal((await first.answer()).body, 'ok')
    while (held.length === 1) await new Promise((resolve) => { setImmediate(resolve) })
    held[1]!()
    assert.equal((await (refused === second ? third : second).answer()).body, 'ok')
    assert.equal(upstream.connections, 1)
  })
})

describe('while the request body flows', () => {
  const upload = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'

  test('an early answer is forwarded at once, and the client can read it to its end', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (received.includes('abc')) socket.write('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno') })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, upload)
    const answer = await client.answer()
    assert.deepEqual([answer.status, answer.body, answer.header('connection')], [413, 'no', 'close'])
    client.send('3\r\ndef\r\n0\r\n\r\n')
    await client.ended()
  })

  test('an answer that streams while the body still comes works in both directions', async (t) => {
    const upstream = await httpUpstream(t, (message, response) => { message.pipe(response) })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, upload)
    await client.until('abc')
    client.send('3\r\ndef\r\n')
    await client.until('def')
    client.send('0\r\n\r\n')
    await client.until(/\r\n0\r\n\r\n$/)
  })

  /** Throws after the first chunk. */
  const throwing = (error: Error): Filter => ({
    name: 'throwing',
    onRequest (x) {
      const body = x.requestBody!
      let chunks = 0
      x.requestBody = {
        length: undefined, trailers: undefined, cancel: (reason) => body.cancel(reason),
        read: () => chunks++ === 0 ? body.read() : Promise.reject(error),
      }
      return undefined
    },
  })

  test('a refusal or a fault of a stage ends the upload, and the target never sees a complete request', async (t) => {
    const refusal = new Refusal({ status: 403, headers: new HeaderList(['X-Why', 'agent']), body: bodyOf(Buffer.from('no')) })
    for (const [error, status] of [[refusal, 403], [new Fault('AGENT_TIMEOUT'), 503], [new Fault('BODY_TOO_LARGE'), 413]] as const) {
      let heard = ''
      const closed = deferred()
      const upstream = await rawUpstream(t, ({ socket, received }) => { heard = received; socket.once('close', () => closed.resolve()) })
      const { port } = await startProxy(t, { targets: [upstream.port], filters: [throwing(error)] })
      const client = await rawClient(t, port, upload)
      assert.equal((await client.answer()).status, status)
      await closed.promise
      assert.doesNotMatch(heard, /\r\n0\r\n/)
    }
  })

  test('after the answer began, the client sees it cut', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      if (received.endsWith('abc\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxyz')
    })
    const later = deferred<never>()
    const { port, exchange } = await startProxy(t, { targets: [upstream.port], filters: [{
      name: 'later',
      onRequest (x) {
        const body = x.requestBody!
        let chunks = 0
        x.requestBody = { length: undefined, trailers: undefined, cancel: (reason) => body.cancel(reason), read: () => chunks++ === 0 ? body.read() : later.promise }
        return undefined
      },
    }] })
    const client = await rawClient(t, port, upload)
    await client.until('xyz')
    later.reject(new Fault('AGENT_TIMEOUT'))
    assert.match(await client.ended(), /xyz$/)
    assert.equal((await exchange(1)).fault?.code, 'AGENT_TIMEOUT')
  })
})
