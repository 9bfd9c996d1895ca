// A request body is kept beside its way, so that another target can be sent all of it; it flows as if nobody kept it.
import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { triesPolicy, type TriesGiven } from '../support/tries-policy.ts'
import { bytesOf, httpUpstream, rawUpstream, type TestUpstream } from '../support/upstream.ts'

interface Kept extends TestProxy {
  /** Bytes that are kept now. */
  readonly kept: () => number
}

async function proxyTo (t: TestContext, ports: readonly number[], given: TriesGiven = {}): Promise<Kept> {
  const tries = triesPolicy(given)
  const proxy = await startProxy(t, { targets: ports, policy: { tries } })
  return { ...proxy, kept: () => tries.replay.room.used }
}

/** Says what it was sent, with the framing. */
const telling = (t: TestContext): Promise<TestUpstream> => httpUpstream(t, (incoming, response) => {
  void bytesOf(incoming).then((bytes) => response.end(`${incoming.headers['transfer-encoding'] ?? incoming.headers['content-length']} ${bytes.toString()} ${incoming.trailers['x-sum'] ?? ''}`))
})

/** Breaks off when it has this many bytes. */
const breaking = (t: TestContext, afterBytes: number): Promise<TestUpstream> => rawUpstream(t, ({ socket, received }) => {
  if (received.length >= afterBytes) socket.resetAndDestroy()
})

const refusing = (t: TestContext): Promise<TestUpstream> => httpUpstream(t, (incoming, response) => {
  void bytesOf(incoming).then(() => { response.statusCode = 503; response.end('busy') })
})

describe('a body that is small enough', () => {
  test('is sent again whole, of known length or not, with its trailers', async (t) => {
    for (const first of [await breaking(t, 1), await breaking(t, 300), await refusing(t)]) {
      const second = await telling(t)
      const { port, kept, exchange } = await proxyTo(t, [first.port, second.port], { statuses: [503] })
      const text = 'x'.repeat(200)
      const known = await request(port, '/', { method: 'PUT', body: text })
      assert.equal(known.text, `200 ${text} `)
      const client = await rawClient(t, port, 'PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n')
      assert.equal((await client.answer()).body, 'chunked abcde 1')
      assert.ok((await exchange(1)).tries === 2 || (await exchange(2)).tries === 2)
      assert.equal(kept(), 0)
    }
  })

  test('is not sent again with a POST, unless the route says that it may', async (t) => {
    const second = await telling(t)
    for (const [nonIdempotent, status] of [[false, 502], [true, 200]] as const) {
      const first = await breaking(t, 1)
      const { port } = await proxyTo(t, [first.port, second.port], { nonIdempotent })
      assert.equal((await request(port, '/', { method: 'POST', body: 'abc' })).status, status)
    }
  })

  test('goes on to the next target in the middle: what is still with the client follows what was kept', async (t) => {
    const first = await breaking(t, 60)
    const second = await telling(t)
    const { port, done, kept } = await proxyTo(t, [first.port, second.port], { nonIdempotent: true })
    const client = await rawClient(t, port, `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n${'a'.repeat(40)}`)
    await eventually('the second target has the beginning', () => second.connections > 0 && kept() > 0)
    client.send('b'.repeat(30))
    assert.deepEqual([done.length, kept()], [0, 90])
    client.send('c'.repeat(20))
    assert.equal((await client.answer()).body, `90 ${'a'.repeat(40)}${'b'.repeat(30)}${'c'.repeat(20)} `)
    assert.equal(kept(), 0)
  })

  test('is not asked of a client twice that waits to be told', async (t) => {
    const first = await breaking(t, 1)
    const second = await telling(t)
    const { port } = await proxyTo(t, [first.port, second.port])
    const client = await rawClient(t, port, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n')
    await client.until('100 Continue')
    client.send('abc')
    assert.match(await client.until(' abc '), /^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200/)
  })

  test('may take its client longer than one try may take', async (t) => {
    const only = await telling(t)
    const { port, exchange } = await proxyTo(t, [only.port], { on: ['timeout'], attemptTimeoutMs: 1_000 })
    const client = await rawClient(t, port, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n')
    for (const piece of 'abcd') {
      await new Promise((resolve) => { setTimeout(resolve, 400) })
      client.send(piece)
    }
    assert.equal((await client.answer()).status, 200)
    assert.equal((await exchange(1)).tries, 1)
  })

  test('is forgotten when its answer begins, while the answer goes on', async (t) => {
    const slow = await httpUpstream(t, (incoming, response) => { void bytesOf(incoming).then(() => response.write('begun')) })
    const { port, kept, done } = await proxyTo(t, [slow.port])
    const client = await rawClient(t, port, `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'a'.repeat(999)}`)
    await eventually('something is kept', () => kept() > 0)
    client.send('b')
    await client.until('begun')
    assert.deepEqual([kept(), done.length], [0, 0])
  })

  test('is forgotten when its client leaves', async (t) => {
    const silent = await rawUpstream(t, () => { /* nothing */ })
    const { port, kept, exchange } = await proxyTo(t, [silent.port])
    const client = await rawClient(t, port, `PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n${'a'.repeat(999)}`)
    await eventually('something is kept', () => kept() > 0)
    client.socket.destroy()
    await exchange(1)
    assert.equal(kept(), 0)
  })
})

describe('a body that is too large to be kept', () => {
  for (const [framing, head, size] of [['known', 'Content-Length: 100000', 0], ['unknown', 'Transfer-Encoding: chunked', 1]] as const) {
    test(`is sent once, when its length is ${framing}; the log says why`, async (t) => {
      const first = await breaking(t, 60_000)
      const second = await telling(t)
      const { port, kept, exchange } = await proxyTo(t, [first.port, second.port], { maxBodyBytes: 10_000 })
      const client = await rawClient(t, port, `PUT / HTTP/1.1\r\nHost: a\r\n${head}\r\n\r\n`)
      const piece = 'a'.repeat(10_000)
      for (let i = 0; i < 10; i++) client.send(size === 0 ? piece : `2710\r\n${piece}\r\n`)
      assert.equal((await client.answer()).status, 502)
      const x = await exchange(1)
      assert.deepEqual([x.fault?.code, x.tries, x.notRetried, kept()], ['UPSTREAM_RESET', 1, 'body', 0])
    })
  }

  test('goes to another target all the same when the first could not be reached', async (t) => {
    const closed = await rawUpstream(t, () => { /* never */ })
    const second = await telling(t)
    const { port } = await proxyTo(t, [1, second.port], { maxBodyBytes: 10 })
    assert.equal(closed.connections, 0)
    assert.equal((await request(port, '/', { method: 'POST', body: 'a'.repeat(1_000) })).status, 200)
  })

  test('streams: the target has its beginning before the client has said its end', async (t) => {
    let heard = ''
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      heard = received
      if (received.endsWith('end')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    })
    const { port } = await proxyTo(t, [upstream.port])
    const client = await rawClient(t, port, 'PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nbegin')
    await eventually('it has the beginning', () => heard.endsWith('begin'))
    client.send('end')
    assert.equal((await client.answer()).status, 200)
  })
})
