import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect as connectPlain, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test, type TestContext } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { createListener, type Listener, type ListenerSettings } from '../../proxy/listeners/index.ts'
import { bodyOf, type Body } from '../../proxy/pipeline/body.ts'
import type { Client, Exchange } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { makeCertificate } from '../support/certificates.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { httpUpstream } from '../support/upstream.ts'

const folder = mkdtempSync(join(tmpdir(), 'sentinel-life-'))
after(() => rmSync(folder, { recursive: true, force: true }))
makeCertificate(folder, 'local')
const tls = { cert: readFileSync(join(folder, 'local.pem')), key: readFileSync(join(folder, 'local.key')) }

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const chunkedPost = 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'

/** A listener alone: `serve` is all that there is behind it. */
async function listen (t: TestContext, serve: (x: Exchange, client: Client) => void | Promise<void>, given: Partial<ListenerSettings> = {}): Promise<{ listener: Listener, port: number }> {
  const listener = createListener({
    id: 'main', host: '127.0.0.1', port: 0, requestTimeoutMs: 60_000, bodyIdleTimeoutMs: 60_000, keepaliveTimeoutMs: 60_000, maxHeaderBytes: 8192,
    maxHeaderCount: 100, maxConnections: 100, ...given,
  }, { serve })
  await listener.start()
  t.after(() => listener.close(AbortSignal.abort()))
  return { listener, port: Number(listener.address.split(':').at(-1)) }
}

function ok (body: Body = bodyOf(Buffer.from('ok'))): Parameters<Client['send']>[0] {
  return { status: 200, headers: new HeaderList([]), body } as Parameters<Client['send']>[0]
}

/** A body that gives `first` and then waits for `rest`. */
function waiting (first: string, rest: Promise<string>): Body {
  const parts: Array<Buffer | Promise<Buffer>> = [Buffer.from(first), rest.then((text) => Buffer.from(text))]
  return { length: undefined, trailers: undefined, read: () => parts.shift(), cancel: () => {} }
}

describe('a listener that closes', () => {
  test('ends a connection whose answer had begun as soon as that is whole', async (t) => {
    const rest = deferred<string>()
    const { listener, port } = await listen(t, (_x, client) => client.send(ok(waiting('first', rest.promise))))
    const client = await rawClient(t, port, get)
    await client.until('first')
    const startedMs = performance.now()
    const closed = listener.close(AbortSignal.timeout(60_000))
    rest.resolve('second')
    assert.match(await client.ended(), /second\r\n0\r\n\r\n$/)
    client.socket.end()
    await closed
    assert.ok(performance.now() - startedMs < 1_000)
  })

  test('does not wait for handshakes that do not come', async (t) => {
    const { listener, port } = await listen(t, (_x, client) => client.send(ok()), { tls })
    const silent = await rawClient(t, port)
    const half = await rawClient(t, port, '\x16\x03\x01\x02\x00\x01\x00')
    const startedMs = performance.now()
    await listener.close(AbortSignal.timeout(200))
    assert.ok(performance.now() - startedMs < 1_000, `${performance.now() - startedMs} ms`)
    assert.deepEqual([await silent.ended(), await half.ended()], ['', ''])
  })
})

describe('a request body', () => {
  test('that breaks the rules behind an answer that began ends the connection', async (t) => {
    const rest = deferred<string>()
    const { port } = await listen(t, async (x, client) => {
      const sent = client.send(ok(waiting('first', rest.promise)))
      await assert.rejects(async () => { while (await x.requestBody!.read() !== undefined) { /* to its end */ } }, { code: 'BAD_REQUEST' })
      rest.resolve('second')
      await sent
    })
    const client = await rawClient(t, port, chunkedPost)
    await client.until('first')
    // What looks like its end, and like a request, behind the point where nobody can tell any more.
    client.send(`zz\r\n0\r\n\r\n${get}`)
    const startedMs = performance.now()
    const all = await client.ended()
    assert.match(all, /second\r\n0\r\n\r\n$/)
    assert.equal(all.split('HTTP/1.1 ').length, 2)
    assert.ok(performance.now() - startedMs < 1_000)
  })

  test('that is first read inside of the answer gets no interim answer there', async (t) => {
    const { port } = await listen(t, async (x, client) => {
      const rest = deferred<string>()
      const sent = client.send(ok(waiting('first', rest.promise)))
      const read = x.requestBody!.read()
      rest.resolve('second')
      await sent
      await Promise.resolve(read).catch(() => {})
    })
    const client = await rawClient(t, port, 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n')
    await client.until('second')
    assert.doesNotMatch(client.received, /100 Continue/)
    client.send('abc')
  })

  for (const [size, kept] of [[10, true], [60_000, true], [200_000, false], [50_000_000, false]] as const) {
    test(`of ${size} bytes that nobody reads: the answer arrives, the connection is ${kept ? 'kept' : 'closed'}`, async (t) => {
      const { listener, port } = await listen(t, (_x, client) => client.send(ok()))
      const client = await rawClient(t, port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${size}\r\n\r\n`)
      assert.equal((await client.answer()).header('connection'), kept ? undefined : 'close')
      const piece = Buffer.alloc(10_000, 'x')
      for (let left = size; left > 0 && !client.socket.destroyed; left -= piece.length) {
        if (!client.socket.write(piece.subarray(0, Math.min(left, piece.length)))) await new Promise((next) => client.socket.once('drain', next).once('close', next))
        if (client.socket.readableEnded) break
      }
      if (kept) {
        client.send(get)
        assert.equal((await client.answer()).status, 200)
      } else {
        await client.ended()
      }
      client.socket.end()
      await gone(listener)
    })
  }
})

describe('requests in a row', () => {
  test('that are answered without waiting let other connections have their turn', async (t) => {
    let served = 0
    let servedAtTurn = Infinity
    const { port } = await listen(t, (_x, client) => {
      if (++served === 1) setImmediate(() => { servedAtTurn = served })
      return client.send(ok())
    })
    const many = 1_000
    const client = await rawClient(t, port, get.repeat(many - 1) + get.replace('Host', 'Connection: close\r\nHost'))
    assert.equal((await client.ended()).split('HTTP/1.1 200').length - 1, many)
    assert.ok(servedAtTurn < 50, `${servedAtTurn} requests before anything else`)
  })

  test('whose answers nobody reads are not answered for ever', async (t) => {
    const answer = Buffer.alloc(1024 * 1024)
    let served = 0
    const { port, listener } = await listen(t, (_x, client) => { served++; return client.send(ok(bodyOf(answer))) }, { bodyIdleTimeoutMs: 250 })
    const client = await rawClient(t, port)
    client.socket.pause()
    client.send(get.repeat(2_000))
    await eventually('the first is answered', () => served > 0)
    await gone(listener)
    const before = served
    assert.ok(before < 40, `${before} answers of 1 MiB`)
    client.socket.resume()
    await client.ended()
    assert.equal(served, before)
  })

  test('may have an empty line between them, in any pieces', async (t) => {
    const { port } = await listen(t, (_x, client) => client.send(ok()))
    const client = await rawClient(t, port)
    client.socket.setNoDelay(true)
    for (const piece of ['\r', '\n', get, '\r', `\n${get}`]) {
      client.send(piece)
      await new Promise((wait) => setTimeout(wait, 20))
    }
    assert.equal((await client.answer()).status, 200)
    assert.equal((await client.answer()).status, 200)
  })
})

/** What a client has sent when it leaves, and what it waits for before. */
const moments: ReadonlyArray<[when: string, sent: string, until: string]> = [
  ['before a head', '', ''],
  ['in the request line', 'GET / HT', ''],
  ['in the fields', 'GET / HTTP/1.1\r\nHo', ''],
  ['in a body of known length', 'POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc', ''],
  ['in a chunk', `${chunkedPost.replace('/', '/read')}5\r\nab`, ''],
  ['while it should continue', 'POST /read HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n', '100 Continue'],
  ['while it waits for an answer', get.replace('/', '/never'), ''],
  ['with requests in a row', get.replace('/', '/never') + get.repeat(10), ''],
  ['in an answer', get.replace('/', '/half'), 'first'],
  ['in an answer that fills all buffers', get.replace('/', '/endless'), 'x'],
  ['in an answer to HTTP/1.0', 'GET /half HTTP/1.0\r\n\r\n', 'first'],
  ['behind an answer', get, 'ok'],
  ['behind an early answer, in the body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\nabc', 'ok'],
  ['behind an early answer, in a huge body', 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nabc', 'ok'],
  ['behind a refusal', 'GET / HTTP/1.1\r\nHost : a\r\n\r\n', '400'],
]

/** Resolves when no connection is left. */
function gone (listener: Listener): Promise<void> {
  return eventually('no connection is left', () => listener.connections === 0)
}

async function leave (port: number, secure: boolean, sent: string, until: string, how: 'end' | 'destroy' | 'resetAndDestroy'): Promise<void> {
  const raw = connectPlain({ port, host: '127.0.0.1' })
  const socket: Socket = secure ? connectTls({ socket: raw, rejectUnauthorized: false }) : raw
  raw.on('error', () => {})
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once(secure ? 'secureConnect' : 'connect', resolve))
  if (sent !== '') socket.write(sent)
  let received = ''
  if (until !== '') {
    await new Promise<void>((resolve, reject) => {
      socket.once('close', () => reject(new Error(`closed before ${until}: ${received}`)))
      socket.on('data', (chunk: Buffer) => { received += chunk.toString('latin1'); if (received.includes(until)) { socket.pause(); resolve() } })
    })
  }
  await new Promise((wait) => setTimeout(wait, 15))
  if (how === 'resetAndDestroy') raw.resetAndDestroy()
  else socket[how]()
}

async function anything (x: Exchange, client: Client): Promise<void> {
  if (x.request.path === '/read') while (await x.requestBody!.read() !== undefined) { /* to its end */ }
  if (x.request.path === '/never') await new Promise<void>((resolve) => x.ending.listen({ onExchangeEnd: () => resolve() }))
  if (x.request.path === '/half') return client.send(ok(untilCancelled(1, 'first')))
  if (x.request.path === '/endless') return client.send(ok(untilCancelled(Infinity, 'x'.repeat(10_000))))
  return client.send(ok())
}

function untilCancelled (pieces: number, piece: string): Body {
  const cancelled = deferred<undefined>()
  return { length: undefined, trailers: undefined, read: () => pieces-- > 0 ? Buffer.from(piece) : cancelled.promise, cancel: () => cancelled.resolve(undefined) }
}

describe('a client that leaves', () => {
  for (const secure of [false, true]) {
    test(`at any moment, in any way, leaves nothing behind (${secure ? 'TLS' : 'plain'})`, async (t) => {
      let open = 0
      const { listener, port } = await listen(t, async (x, client) => {
        open++
        // As the pipeline does: what a client that is gone makes fail is no bug.
        await anything(x, client).catch(() => client.abort())
        open--
      }, secure ? { tls } : {})
      for (const how of ['end', 'destroy', 'resetAndDestroy'] as const) {
        for (const [when, sent, until] of moments) {
          // Half a connection stays until the answer that fills all buffers is given up: nobody reads it, and nobody has left.
          if (how === 'end' && until === 'x') continue
          // So does one that waits for an answer behind a whole request (see "a client that ends its side").
          if (how === 'end' && !secure && sent.includes('/never')) continue
          await t.test(`${when} (${how})`, async () => {
            await leave(port, secure, sent, until, how)
            await gone(listener)
            await eventually('no exchange is left', () => open === 0)
          })
        }
      }
      await listener.close(AbortSignal.timeout(10_000))
      // One may be the test runner's.
      const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
      assert.ok(timers <= 2, `${timers} timers are left`)
    })
  }
})

test('a client that goes while its request waits lets the upstream go', async (t) => {
  const asked = deferred()
  const upstream = await httpUpstream(t, () => asked.resolve())
  const { port, listener, exchange } = await startProxy(t, { targets: [upstream.port] })
  const client = await rawClient(t, port, get + get)
  await asked.promise
  client.socket.resetAndDestroy()
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
  await gone(listener)
})
