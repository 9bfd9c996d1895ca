/** Clients that stall, flood or twist the handshake. */
import assert from 'node:assert/strict'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { authority } from '../support/authority.ts'
import { deferred } from '../support/deferred.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { shake } from '../support/tls-client.ts'
import { httpUpstream } from '../support/upstream.ts'

const servers = authority('servers')
const own = servers.issue('own.test')
const named = new Map([['*.wild.test', servers.issue('wild.test')]])

/** The bytes of a ClientHello as Node sends it. */
function clientHello (): Promise<Buffer> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.once('data', (bytes) => {
      resolve(bytes)
      socket.destroy()
      server.close()
    }))
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      connect({ host: '127.0.0.1', port: typeof address === 'object' && address !== null ? address.port : 0, servername: 'own.test' }).on('error', () => { /* it was only heard */ })
    })
  })
}

test('a handshake that stalls or drips is over in its time, while others are served', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: own, requestTimeoutMs: 1_500 } })
  const hello = await clientHello()
  const startedMs = performance.now()
  const silent = await rawClient(t, proxy.port)
  const half = await rawClient(t, proxy.port)
  half.send(hello.subarray(0, 100))
  const dripping = await rawClient(t, proxy.port)
  let sent = 0
  const drip = setInterval(() => { if (!dripping.socket.destroyed) dripping.send(hello.subarray(sent, ++sent)) }, 20)
  t.after(() => clearInterval(drip))
  assert.match((await shake(proxy.port)).answer, /served/)
  for (const client of [silent, half, dripping]) assert.equal((await client.ended()).includes('HTTP'), false)
  assert.ok(performance.now() - startedMs < 20_000)
  assert.deepEqual(proxy.events.map(({ detail }) => detail), Array.from({ length: 3 }, () => 'TLS handshake: the handshake was not done in time'))
})

test('a flood of failing handshakes fills no log, and does not keep others out', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: own } })
  for (let i = 0; i < 10; i++) {
    await Promise.all(Array.from({ length: 20 }, async () => (await rawClient(t, proxy.port, '\x16\x03\x01\x00\x05nonsense')).ended()))
  }
  assert.ok(proxy.events.length >= 1 && proxy.events.length <= 20, `${proxy.events.length} lines`)
  assert.match((await shake(proxy.port)).answer, /served/)
})

test('clients cannot negotiate anew', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: own } })
  const outcome = await new Promise<string>((resolve) => {
    const socket = connect({ host: '127.0.0.1', port: proxy.port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' }, () => {
      socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error === null ? 'negotiated' : error.message))
    })
    socket.on('error', (error) => resolve(error.message))
    t.after(() => socket.destroy())
  })
  assert.match(outcome, /no renegotiation/i)
})

test('names that nobody should ask for get the default, and harm nothing', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: { ...own, named } } })
  assert.equal((await shake(proxy.port, { servername: 'a.wild.test' })).shown, 'wild.test')
  for (const servername of ['.wild.test', 'a..wild.test', 'wild.test', 'constructor', '__proto__', 'x'.repeat(255), `${'a.'.repeat(100)}wild.test`, 'a.wild.test.evil']) {
    const { shown, answer } = await shake(proxy.port, { servername })
    assert.deepEqual([shown, answer.includes('served')], ['own.test', true], servername)
  }
})

test('a method in front of a handshake is no request, and what follows it is not read', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('served'))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: own } })
  const hello = await clientHello()
  const client = await rawClient(t, proxy.port)
  client.send(Buffer.concat([Buffer.from('POST / HTTP/1.1\r\nHost: own.test\r\nContent-Length: 9999\r\n\r\n'), hello]))
  const received = await client.ended()
  assert.match(received, /^HTTP\/1\.1 400 /)
  assert.equal(received.split('HTTP/1.1').length, 2)
  assert.equal(proxy.done.length, 0)
})

test('a listener that closes ends handshakes at once, and lets a secured client have its answer', async (t) => {
  const asked = deferred<ServerResponse>()
  const upstream = await httpUpstream(t, (_message, response) => asked.resolve(response))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { tls: own } })
  const half = await rawClient(t, proxy.port)
  half.send((await clientHello()).subarray(0, 100))
  const served = shake(proxy.port)
  const response = await asked.promise
  const closed = proxy.listener.close(AbortSignal.timeout(60_000))
  assert.equal(await half.ended(), '')
  response.end('served')
  assert.match((await served).answer, /served/)
  await closed
})
