import assert from 'node:assert/strict'
import { atATime } from '../support/at-a-time.ts'
import { deferred } from '../support/deferred.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { bytesOf, fixedUpstream, httpUpstream, rawUpstream } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const test = atATime(3)

const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a head that drips in is answered 408 in time, a silent connection is closed without a word', async (t) => {
  await within(1_500, async () => {
    const upstream = await fixedUpstream(t, ok)
    const { port, events } = await startProxy(t, { targets: [upstream.port], listener: { requestTimeoutMs: 300 } })
    const startedMs = performance.now()
    const silent = await rawClient(t, port)
    const slow = await rawClient(t, port, 'GET / HTTP/1.1\r\n')
    const drip = setInterval(() => slow.send('X: 1\r\n'), 50)
    t.after(() => clearInterval(drip))
    const all = await slow.ended()
    assert.match(all, /^HTTP\/1\.1 408 [^]*application\/problem\+json/)
    assert.equal(await silent.ended(), '')
    const ms = performance.now() - startedMs
    assert.deepEqual(events.map((event) => event.code), ['CLIENT_TIMEOUT'])
    return ms
  })
})

test('a keep-alive connection that starts a second head and stops gets 408 as well', async (t) => {
  const upstream = await fixedUpstream(t, ok)
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { requestTimeoutMs: 1_000 } })
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal((await client.answer()).status, 200)
  client.send('GET / HT')
  assert.match(await client.ended(), /HTTP\/1\.1 408 /)
})

test('an unused connection is closed after its keep-alive time', async (t) => {
  const upstream = await fixedUpstream(t, ok)
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { keepaliveTimeoutMs: 200 } })
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal((await client.answer()).status, 200)
  assert.match(await client.ended(30_000), /ok$/)
})

test('a body that stops flowing is answered 408, and the target sees no complete request', async (t) => {
  let heard = ''
  const closed = deferred()
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    heard = received
    socket.once('close', () => closed.resolve())
  })
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: { bodyIdleTimeoutMs: 200 } })
  const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n')
  assert.match(await client.until('"status":408'), /^HTTP\/1\.1 408 /)
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_TIMEOUT')
  await closed.promise
  assert.match(heard, /abc\r\n$/)
})

test('100 Continue is said by a real server, and the client is told', async (t) => {
  let seen: string | undefined = 'unset'
  const upstream = await httpUpstream(t, async (message, response) => {
    seen = message.headers.expect
    response.end(await bytesOf(message))
  })
  const { port } = await startProxy(t, { targets: [upstream.port] })
  const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  assert.equal((await client.answer()).status, 100)
  client.send('abc')
  assert.equal((await client.answer()).body, 'abc')
  assert.equal(seen, '100-continue')
})

test('a refused request with Expect gets its answer and no 100 Continue', async (t) => {
  const upstream = await fixedUpstream(t, ok)
  const { port } = await startProxy(t, { targets: [upstream.port], maxBodyBytes: 2 })
  const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
  const all = await client.until('"status":413')
  assert.match(all, /^HTTP\/1\.1 413 [^]*Connection: close/)
  client.socket.end()
  assert.doesNotMatch(await client.ended(), /100 Continue/)
})

test('a client that takes no bytes is cut off, and the target is let go', async (t) => {
  const closed = deferred()
  const upstream = await httpUpstream(t, (_message, response) => {
    response.once('close', () => closed.resolve())
    const chunk = Buffer.alloc(64 * 1024)
    const fill = (): void => { while (response.write(chunk)) { /* until it is full */ } }
    response.on('drain', fill)
    fill()
  })
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: { bodyIdleTimeoutMs: 300 } })
  const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  client.socket.pause()
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
  await closed.promise
})

test('a target that is silent before or inside its answer is given up', async (t) => {
  const silent = await rawUpstream(t, () => { /* never answers */ })
  const first = await startProxy(t, { targets: [silent.port], upstream: { readTimeoutMs: 200 } })
  const client = await rawClient(t, first.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.equal((await client.answer()).status, 504)
  assert.equal((await first.exchange(1)).fault?.code, 'UPSTREAM_TIMEOUT')

  const stuck = await fixedUpstream(t, 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
  const second = await startProxy(t, { targets: [stuck.port], upstream: { readTimeoutMs: 1_000 } })
  const other = await rawClient(t, second.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(await other.ended(), /^HTTP\/1\.1 200 [^]*abc$/)
  assert.equal((await second.exchange(1)).fault?.code, 'UPSTREAM_TIMEOUT')
})

test('a target that takes no bytes of the upload is given up', async (t) => {
  const upstream = await rawUpstream(t, ({ socket }) => socket.pause())
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], upstream: { writeTimeoutMs: 300 } })
  const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n')
  const chunk = Buffer.alloc(256 * 1024)
  const fill = (): void => { while (!client.socket.destroyed && client.socket.write(chunk)) { /* until it is full */ } }
  client.socket.on('drain', fill)
  fill()
  assert.match(await client.until('"status":504'), /^HTTP\/1\.1 504 /)
  assert.equal((await exchange(1)).fault?.code, 'UPSTREAM_TIMEOUT')
})
