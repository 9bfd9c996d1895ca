import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient, type RawClient } from '../support/raw-client.ts'
import { rawUpstream } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const chunkedPost = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'

/** A moment of an exchange: what the client sends, what the upstream answers, and what the client has to have seen. */
const moments: ReadonlyArray<[when: string, sent: string, answer: string, until: string]> = [
  ['before the head of the answer', get, '', ''],
  ['while its body uploads', chunkedPost, '', ''],
  ['while the answer streams', get, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n', 'first'],
  ['while an early answer streams and its body uploads', chunkedPost, 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n', 'first'],
]

const leave: Readonly<Record<string, (socket: Socket) => void>> = {
  'closes its socket': (socket) => void socket.destroy(),
  'resets it': (socket) => void socket.resetAndDestroy(),
}

/** Milliseconds until the upstream's connection is gone. */
async function cancelMs (t: TestContext, [, sent, answer, until]: typeof moments[number], how: (socket: Socket) => void): Promise<number> {
  const asked = deferred()
  const gone = deferred()
  const upstream = await rawUpstream(t, ({ socket }) => {
    if (answer !== '') socket.write(answer)
    socket.once('close', () => gone.resolve())
    asked.resolve()
  })
  const proxy = await startProxy(t, { targets: [upstream.port] })
  const client = await rawClient(t, proxy.port, sent)
  await asked.promise
  if (until !== '') await client.until(until)
  await new Promise((wait) => setTimeout(wait, 30))
  const startedMs = performance.now()
  how(client.socket)
  await gone.promise
  const ms = performance.now() - startedMs
  assert.equal((await proxy.exchange(1)).fault?.code, 'CLIENT_GONE')
  return ms
}

describe('a client that leaves cancels its upstream within 100 ms', () => {
  for (const moment of moments) {
    for (const [name, how] of Object.entries(leave)) {
      test(`${moment[0]}, when it ${name}`, async (t) => {
        await within(100, () => cancelMs(t, moment, how))
      })
    }
  }
})

describe('a client that ends its side behind a whole request', () => {
  /** The upstream answers when told to. */
  async function waiting (t: TestContext, requests: string): Promise<{ client: RawClient, asked: (count: number) => Promise<void>, answer: () => void }> {
    let asked: ReadonlyArray<{ readonly socket: Socket, readonly received: string }> = []
    const upstream = await rawUpstream(t, (connection) => { if (!asked.includes(connection)) asked = [...asked, connection] })
    const proxy = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, proxy.port)
    client.socket.end(requests)
    const heads = (): number => asked.reduce((sum, { received }) => sum + received.split('\r\n\r\n').length - 1, 0)
    return { client, asked: (count) => eventually(`${count} requests`, () => heads() >= count), answer: () => asked.at(-1)!.socket.write(ok) }
  }

  test('gets its answer, however long that takes', async (t) => {
    const { client, asked, answer } = await waiting(t, get)
    await asked(1)
    await client.until('100 Continue')
    answer()
    const all = await client.ended()
    // Interim answers that mean nothing, by which a client that is gone would have been found out.
    assert.match(all, /^(?:HTTP\/1\.1 100 Continue\r\n\r\n)+HTTP\/1\.1 200 OK\r\n[^]*\r\nok$/)
  })

  test('gets the answers of all its requests', async (t) => {
    const { client, asked, answer } = await waiting(t, get.repeat(3))
    for (let i = 1; i <= 3; i++) {
      await asked(i)
      await new Promise((wait) => setTimeout(wait, 50))
      answer()
    }
    assert.equal((await client.ended()).split('HTTP/1.1 200').length - 1, 3)
  })

  test('gets all of an answer that is on its way', async (t) => {
    const size = 30_000_000
    const upstream = await rawUpstream(t, ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`)
      socket.write(Buffer.alloc(size))
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port)
    let bytes = 0
    client.socket.removeAllListeners('data')
    client.socket.on('data', (chunk) => {
      if (bytes === 0) client.socket.end()
      bytes += chunk.length
    })
    client.socket.pause()
    client.send(get)
    await new Promise((wait) => setTimeout(wait, 100))
    client.socket.resume()
    await client.ended()
    assert.ok(bytes > size, `${bytes} bytes`)
  })

  test('gets nothing for half a request', async (t) => {
    const upstream = await rawUpstream(t, ({ socket }) => socket.write(ok))
    const proxy = await startProxy(t, { targets: [upstream.port] })
    for (const part of ['GET / HTTP/1.1\r\nHo', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc']) {
      const client = await rawClient(t, proxy.port)
      client.socket.end(part)
      assert.doesNotMatch(await client.ended(), / 200 /)
    }
  })
})
