import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { gunzipSync, createGzip, constants } from 'node:zlib'
import { eventually } from '../support/eventually.ts'
import { fromDist } from '../support/paths.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'

const events = ['data: one\n\n', ': nothing\n\n', 'data: three\n\n', 'd', 'ata: five\n\n']

/** How an upstream may delimit an answer whose length it does not know. */
const framings: Readonly<Record<string, { readonly head: string, readonly piece: (text: string) => string }>> = {
  'in chunks': { head: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n', piece: (text) => `${text.length.toString(16)}\r\n${text}\r\n` },
  'to the end of the connection': { head: 'HTTP/1.1 200 OK\r\n', piece: (text) => text },
  'to the end of a connection of HTTP/1.0': { head: 'HTTP/1.0 200 OK\r\n', piece: (text) => text },
  'of a length that is known after all': { head: `HTTP/1.1 200 OK\r\nContent-Length: ${events.join('').length}\r\n`, piece: (text) => text },
}

/** Resolves with the socket of the one request that comes. */
async function asked (t: TestContext, head: string): Promise<{ port: number, socket: () => Promise<Socket> }> {
  let found: (socket: Socket) => void
  const socket = new Promise<Socket>((resolve) => { found = resolve })
  const upstream = await rawUpstream(t, (connection) => {
    if (!connection.received.endsWith('\r\n\r\n')) return
    connection.socket.write(head)
    found(connection.socket)
  })
  return { port: upstream.port, socket: () => socket }
}

/** Each event is sent when the one before it was read: whoever holds one back for the next one holds it back for ever. */
async function oneByOne (t: TestContext, { proxyPort, socket, request, piece }: { proxyPort: number, socket: () => Promise<Socket>, request: string, piece: (text: string) => string }): Promise<void> {
  const client = await rawClient(t, proxyPort, request)
  const upstream = await socket()
  await client.until('\r\n\r\n')
  for (const event of events) {
    const before = client.received.length
    upstream.write(piece(event))
    await eventually(`${JSON.stringify(event)} is not held back`, () => client.received.slice(before).includes(event))
  }
}

describe('each piece of an answer reaches the client before the next is sent', { concurrency: 2 }, () => {
  for (const [name, { head, piece }] of Object.entries(framings)) {
    for (const request of [
      'GET / HTTP/1.1\r\nHost: a\r\nAccept: text/event-stream\r\n\r\n', 'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: identity;q=0, *\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n',
    ]) {
      test(`${name}, asked by ${JSON.stringify(request.slice(0, -4))}`, async (t) => {
        const { port, socket } = await asked(t, `${head}Content-Type: ${name === 'in chunks' ? 'text/event-stream' : 'application/json'}\r\n\r\n`)
        const proxy = await startProxy(t, { targets: [port] })
        await oneByOne(t, { proxyPort: proxy.port, socket, request, piece })
      })
    }
  }

  for (const [name, agents, filters] of [
    ['an agent that looks at heads', scriptedAgent('heads', 'timeout "2s"'), ['heads']],
    ['an agent that sees every piece', `agent "pieces" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'flowing.js'))}; timeout "2s" }`, ['pieces']],
    ['the firewall', 'agent "waf" type="waf" { timeout "2s" }', ['waf']],
    ['all of them', `${scriptedAgent('heads', 'timeout "2s"')}\nagent "waf" type="waf" { timeout "2s" }\nagent "pieces" { command ${JSON.stringify(process.execPath)} ${JSON.stringify(fromDist('test', 'support', 'agents', 'flowing.js'))}; timeout "2s" }`, ['heads', 'pieces', 'waf']],
  ] as const) {
    test(`with ${name} on the route, and after a silence longer than what an agent may take`, async (t) => {
      const { port, socket } = await asked(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n\r\n')
      const sentinel = await startSentinel(t, siteWith(port, agents, filters))
      const { piece } = framings['in chunks']!
      const request = 'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n'
      const silent = async (): Promise<Socket> => {
        const found = await socket()
        await new Promise((wait) => setTimeout(wait, 2_300))
        return found
      }
      await oneByOne(t, { proxyPort: sentinel.port(), socket: silent, request, piece })
    })
  }

  test('compressed by the upstream, as it came', async (t) => {
    const { port, socket } = await asked(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n')
    const proxy = await startProxy(t, { targets: [port] })
    const client = await rawClient(t, proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n')
    const upstream = await socket()
    const gzip = createGzip()
    const packed: Buffer[] = []
    gzip.on('data', (chunk: Buffer) => {
      packed.push(chunk)
      upstream.write(Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')]))
    })
    for (const event of events) {
      gzip.write(event)
      await new Promise<void>((resolve) => gzip.flush(constants.Z_SYNC_FLUSH, resolve))
      await client.until(packed.at(-1)!.toString('latin1'))
    }
    assert.equal(gunzipSync(Buffer.concat(packed), { finishFlush: constants.Z_SYNC_FLUSH }).toString(), events.join(''))
  })
})

describe('time-outs of streams count silence, not length', { concurrency: true }, () => {
  const chunk = (text: string): string => framings['in chunks']!.piece(text)

  test('of an answer', async (t) => {
    const { port, socket } = await asked(t, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const proxy = await startProxy(t, { targets: [port], upstream: { readTimeoutMs: 3_000 }, listener: { requestTimeoutMs: 3_000, bodyIdleTimeoutMs: 3_000, keepaliveTimeoutMs: 3_000 } })
    const client = await rawClient(t, proxy.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    const upstream = await socket()
    for (let i = 0; i < 12; i++) {
      upstream.write(chunk(`event ${i};`))
      await client.until(`event ${i};`)
      await new Promise((wait) => setTimeout(wait, 350))
    }
    const startedMs = performance.now()
    await client.ended()
    assert.ok(performance.now() - startedMs > 1_500)
    assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_TIMEOUT')
  })

  test('of an upload', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => { if (received.endsWith('0\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') })
    const proxy = await startProxy(t, { targets: [upstream.port], upstream: { readTimeoutMs: 3_000, writeTimeoutMs: 3_000 }, listener: { requestTimeoutMs: 3_000, bodyIdleTimeoutMs: 3_000 } })
    const client = await rawClient(t, proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    for (let i = 0; i < 12; i++) {
      client.send(chunk(`piece ${i};`))
      await new Promise((wait) => setTimeout(wait, 350))
    }
    client.send('0\r\n\r\n')
    assert.equal((await client.answer()).body, 'ok')
    const silent = await rawClient(t, proxy.port, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    assert.match(await silent.ended(), /^HTTP\/1\.1 408 /)
  })
})
