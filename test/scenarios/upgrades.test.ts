import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, test, type TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { makeCertificate } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { folderWith } from '../support/folder.ts'
import { startProxy, type ProxyGiven } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { fixedUpstream, httpUpstream, rawUpstream } from '../support/upstream.ts'
import { acceptingHandshake as accepting, webSocketKey as key, webSocketRequest as ask, webSocketServer } from '../support/websocket.ts'

const accept = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='

const start = (t: TestContext, port: number, more: Partial<ProxyGiven> = {}) => startProxy(t, { targets: [port], upgrades: true, ...more })

/** Switches at the head; everything behind it is given to `onBytes`. */
function tunnelUpstream (t: TestContext, onBytes: (say: (text: string) => void, bytes: string) => void, early = '', allowHalfOpen = false) {
  const seen = new WeakMap<object, number>()
  return rawUpstream(t, (connection) => {
    const { socket, received } = connection
    const end = received.indexOf('\r\n\r\n') + 4
    if (end < 4) return
    if (!seen.has(socket)) {
      socket.write(accepting(received.slice(0, end)) + early)
      seen.set(socket, end)
    }
    const from = seen.get(socket)!
    seen.set(socket, received.length)
    if (received.length > from) onBytes((text) => { socket.write(text, 'latin1') }, received.slice(from))
  }, allowHalfOpen)
}

describe('an upgrade to WebSocket', () => {
  test('passes with its fields, and messages of any size both ways', async (t) => {
    const { server, port } = await webSocketServer(t, { handleProtocols: (offered) => [...offered][0] ?? false })
    server.on('connection', (socket, request) => {
      assert.equal(request.url, '/chat?x=1')
      assert.equal(request.headers['x-forwarded-for'], '127.0.0.1')
      socket.on('message', (data, binary) => socket.send(data, { binary }))
    })
    const proxy = await start(t, port)
    const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/chat?x=1`, ['one', 'two'])
    await once(client, 'open')
    assert.equal(client.protocol, 'one')
    for (const size of [0, 1, 125, 126, 70_000, 3_000_000]) {
      const sent = Buffer.alloc(size, size % 251)
      client.send(sent)
      const [data] = await once(client, 'message') as [Buffer]
      assert.ok(data.equals(sent), `${size} bytes`)
    }
    client.close(4001, 'bye')
    const [code, reason] = await once(client, 'close') as [number, Buffer]
    assert.deepEqual([code, String(reason)], [4001, 'bye'])
    const x = await proxy.exchange(1)
    assert.equal(x.reply?.status, 101)
    assert.equal(x.fault, undefined)
    assert.ok(x.requestBytes > 3_000_000 && x.responseBytes > 3_000_000)
    assert.equal(proxy.upstream.targets[0]!.connections, 0)
  })

  test('is written anew for each hop, and the fields of the answer arrive as they came', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      if (received.endsWith('\r\n\r\n')) socket.write(accepting(received, 'Sec-WebSocket-Protocol: Chat\r\nSec-WebSocket-Extensions: x; y=1\r\nX-Own: 1\r\n'))
    })
    const { port } = await start(t, upstream.port)
    const client = await rawClient(t, port, ask)
    const head = await client.until('\r\n\r\n')
    assert.match(head, /^HTTP\/1\.1 101 Switching Protocols\r\n/)
    const fields = head.split('\r\n').slice(1, -2)
    for (const field of ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept}`, 'Sec-WebSocket-Protocol: Chat', 'Sec-WebSocket-Extensions: x; y=1', 'X-Own: 1']) {
      assert.equal(fields.filter((one) => one === field).length, 1, field)
    }
    assert.ok(!/content-length|transfer-encoding|connection: close/i.test(head))
  })

  test('keeps what is said early, on both sides, in order', async (t) => {
    const heard: string[] = []
    const upstream = await tunnelUpstream(t, (say, bytes) => { heard.push(bytes); if (heard.join('').endsWith('end')) say(heard.join('').toUpperCase()) }, 'hello ')
    const { port } = await start(t, upstream.port)
    const client = await rawClient(t, port, `${ask}early `)
    await client.until('hello ')
    client.send('late end')
    assert.match(await client.until('END'), /hello EARLY LATE END$/)
  })

  test('waits for nobody with more than 64 KiB of early bytes, and loses none', async (t) => {
    let bytes = 0
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      const end = received.indexOf('\r\n\r\n') + 4
      if (bytes === 0) setTimeout(() => socket.write(accepting(received.slice(0, end))), 150)
      bytes = received.length - end
      if (bytes === 2_000_000) socket.write('all of it')
    })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, ask)
    client.send(Buffer.alloc(2_000_000, 'x'))
    await new Promise((wait) => setTimeout(wait, 100))
    // What the proxy does not read stays in the sockets of the system.
    assert.ok(client.socket.writableLength > 0 || process.memoryUsage().arrayBuffers < 64 * 1024 * 1024)
    await client.until('all of it')
  })

  test('passes the end of one side on, and the other side goes on', async (t) => {
    for (const first of ['client', 'target'] as const) {
      const heard: string[] = []
      const upstream = await tunnelUpstream(t, (_say, bytes) => heard.push(bytes), '', true)
      const proxy = await start(t, upstream.port)
      const client = await rawClient(t, proxy.port, ask)
      await client.until('\r\n\r\n')
      const [target] = upstream.sockets
      const [one, two] = first === 'client' ? [client.socket, target!] : [target!, client.socket]
      const ended = once(two, 'end')
      one.end('bye')
      await ended
      await new Promise((wait) => setTimeout(wait, 20))
      const closed = once(one, 'close')
      two.end('farewell')
      await closed
      assert.match(client.received, first === 'client' ? /farewell$/ : /bye$/)
      assert.equal(heard.join(''), first === 'client' ? 'bye' : 'farewell')
      assert.equal((await proxy.exchange(1)).fault, undefined)
    }
  })

  test('ends on both sides when one breaks', async (t) => {
    const upstream = await tunnelUpstream(t, (say) => say('x'))
    const proxy = await start(t, upstream.port)
    const one = await rawClient(t, proxy.port, ask)
    await one.until('\r\n\r\n')
    one.socket.resetAndDestroy()
    assert.equal((await proxy.exchange(1)).fault?.code, 'CLIENT_GONE')
    const two = await rawClient(t, proxy.port, ask)
    await two.until('\r\n\r\n')
    for (const socket of upstream.sockets) socket.resetAndDestroy()
    await two.ended()
    assert.equal((await proxy.exchange(2)).fault?.code, 'UPSTREAM_RESET')
    await eventually('the upstream has no connection', () => upstream.sockets.size === 0)
  })

  test('pushes back both ways', async (t) => {
    let taken = 0
    const upstream = await rawUpstream(t, ({ socket, received, index }) => {
      if (index === 0 && received.length < 4_000 && received.endsWith('\r\n\r\n')) {
        socket.write(accepting(received))
        socket.pause()
      }
    })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, ask)
    await client.until('\r\n\r\n')
    const chunk = Buffer.alloc(256 * 1024)
    for (let i = 0; i < 200; i++) {
      if (!client.socket.write(chunk)) await Promise.race([once(client.socket, 'drain'), new Promise((wait) => setTimeout(wait, 100).unref())])
      taken = client.socket.bytesWritten - client.socket.writableLength
      if (client.socket.writableLength > 4 * chunk.length) break
    }
    // Less than what was sent went anywhere: the buffers of the system, and a little in the proxy.
    assert.ok(taken < 30_000_000, `${taken} bytes were taken`)
    const x = proxy.done.length
    assert.equal(x, 0)
  })

  test('pushes back on a client that was early', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      socket.pause()
      setTimeout(() => socket.write(accepting(received)), 50)
    })
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, ask)
    const chunk = Buffer.alloc(256 * 1024)
    const startedMs = performance.now()
    let sent = 0
    while (performance.now() - startedMs < 500) {
      if (client.socket.writableLength === 0) client.socket.write(chunk)
      sent = client.socket.bytesWritten - client.socket.writableLength
      await new Promise((wait) => setImmediate(wait))
    }
    await client.until(' 101 ')
    assert.ok(sent < 30_000_000, `${sent} bytes`)
  })

  test('pushes back on an upstream whose client reads nothing, and ends it after the time of the client', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      if (!received.endsWith('\r\n\r\n')) return
      socket.write(accepting(received))
      const chunk = Buffer.alloc(256 * 1024)
      const fill = (): void => { while (socket.writable && socket.write(chunk)) { /* as much as goes */ } }
      socket.on('drain', fill)
      fill()
    })
    const proxy = await start(t, upstream.port, { listener: { bodyIdleTimeoutMs: 500 } })
    const client = await rawClient(t, proxy.port)
    client.socket.pause()
    client.send(ask)
    await eventually('the upstream is asked', () => upstream.sockets.size > 0)
    const [target] = upstream.sockets
    let over = false
    const exchange = proxy.exchange(1).finally(() => { over = true })
    let sent = 0
    while (!over) {
      sent = Math.max(sent, target!.bytesWritten - target!.writableLength)
      await new Promise((wait) => setTimeout(wait, 10))
    }
    assert.ok(sent > 0 && sent < 30_000_000, `${sent} bytes`)
    assert.equal((await exchange).fault?.code, 'CLIENT_GONE')
  })

  test('ends when the upstream takes nothing for as long as it may', async (t) => {
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      if (!received.endsWith('\r\n\r\n')) return
      socket.write(accepting(received))
      socket.pause()
    })
    const proxy = await start(t, upstream.port, { upstream: { writeTimeoutMs: 300 } })
    const client = await rawClient(t, proxy.port, ask)
    await client.until('\r\n\r\n')
    client.send(Buffer.alloc(30_000_000))
    assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_TIMEOUT')
    await client.ended()
  })

  test('passes through TLS on both sides', async (t) => {
    const folder = folderWith(t)
    makeCertificate(folder, 'local')
    const tls = { cert: readFileSync(join(folder, 'local.pem')), key: readFileSync(join(folder, 'local.key')) }
    const secure = createServer(tls)
    await new Promise<void>((resolve) => { secure.listen(0, '127.0.0.1', resolve) })
    t.after(() => secure.close())
    const server = new WebSocketServer({ server: secure })
    server.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })))
    const { port } = secure.address() as AddressInfo
    const proxy = await start(t, port, { listener: { tls }, upstream: { tls: { insecureSkipVerify: true } } })
    const client = new WebSocket(`wss://127.0.0.1:${proxy.port}/`, { rejectUnauthorized: false })
    await once(client, 'open')
    client.send(Buffer.alloc(200_000, 'x'))
    const [data] = await once(client, 'message') as [Buffer]
    assert.equal(data.length, 200_000)
    client.close(1000)
    assert.equal((await once(client, 'close'))[0], 1000)
    assert.equal((await proxy.exchange(1)).fault, undefined)
  })

  test('never gives its connection to another exchange, and takes none from them', async (t) => {
    const upstream = await tunnelUpstream(t, () => {})
    const proxy = await start(t, upstream.port, { upstream: { poolMaxConnections: 1 } })
    const one = await rawClient(t, proxy.port, ask)
    await one.until('\r\n\r\n')
    const two = await rawClient(t, proxy.port, ask)
    await two.until('\r\n\r\n')
    assert.equal(proxy.upstream.targets[0]!.connections, 0)
    assert.equal(upstream.connections, 2)
  })
})

describe('a request for an upgrade', () => {
  test('is refused on a route that does not want it', async (t) => {
    const upstream = await httpUpstream(t, (_request, response) => response.end('ok'))
    const proxy = await start(t, upstream.port, { upgrades: false })
    const client = await rawClient(t, proxy.port, ask)
    assert.equal((await client.answer()).status, 403)
    assert.equal((await proxy.exchange(1)).fault?.code, 'UPGRADE_REFUSED')
    assert.equal(upstream.connections, 0)
  })

  for (const [what, request, status] of [
    ['without a key', ask.replace(/Sec-WebSocket-Key: .*\r\n/, ''), 400],
    ['with two keys', ask.replace(/(Sec-WebSocket-Key: .*\r\n)/, '$1$1'), 400],
    ['with a key that is none', ask.replace(key, 'dGhlIHNhbXBsZSBub25jZQ='), 400],
    ['with a key of 15 bytes', ask.replace(key, Buffer.alloc(15).toString('base64')), 400],
  ] as const) {
    test(`${what} gets ${status}`, async (t) => {
      const upstream = await httpUpstream(t, (_request, response) => response.end('ok'))
      const { port } = await start(t, upstream.port)
      const client = await rawClient(t, port, request)
      assert.equal((await client.answer()).status, status)
      assert.equal(upstream.connections, 0)
    })
  }

  for (const [what, request] of [
    ['for h2c', ask.replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['that Connection does not name', ask.replace('keep-alive, Upgrade', 'keep-alive')],
    ['with another method', ask.replace('GET', 'POST')],
    ['in HTTP/1.0', ask.replace('HTTP/1.1', 'HTTP/1.0')],
    ['with a body', ask.replace('\r\n\r\n', '\r\nContent-Length: 2\r\n\r\nab')],
  ] as const) {
    test(`${what} is an ordinary request`, async (t) => {
      let head = ''
      const upstream = await rawUpstream(t, ({ socket, received }) => { head = received; socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') })
      const { port } = await start(t, upstream.port)
      const client = await rawClient(t, port, request)
      assert.equal((await client.answer()).status, 200)
      assert.ok(!/^upgrade:|^connection:/im.test(head), head)
    })
  }

  test('that the upstream refuses gets that answer, and the connection goes on', async (t) => {
    const upstream = await fixedUpstream(t, 'HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno')
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, ask)
    assert.equal((await client.answer()).status, 401)
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await client.answer()).status, 401)
    assert.equal(upstream.connections, 1)
  })

  for (const [what, answer] of [
    ['to another protocol', (head: string) => accepting(head).replace('Upgrade: websocket', 'Upgrade: h2c')],
    ['without a word of Connection', (head: string) => accepting(head).replace('Connection: Upgrade\r\n', '')],
    ['with the proof of another key', () => accepting('Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n')],
    ['without a proof', (head: string) => accepting(head).replace(/Sec-WebSocket-Accept: .*\r\n/, '')],
    ['with a body', (head: string) => accepting(head, 'Content-Length: 3\r\n')],
  ] as const) {
    test(`that is answered with a switch ${what} gets 502`, async (t) => {
      const upstream = await rawUpstream(t, ({ socket, received }) => { socket.write(answer(received)) })
      const proxy = await start(t, upstream.port)
      const client = await rawClient(t, proxy.port, ask)
      assert.equal((await client.answer()).status, 502)
      assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_PROTOCOL')
    })
  }

  test('that nobody made is not answered with a switch', async (t) => {
    const upstream = await rawUpstream(t, ({ socket }) => { socket.write(accepting('')) })
    const { port } = await start(t, upstream.port)
    const client = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    assert.equal((await client.answer()).status, 502)
  })
})

test('a listener that closes lets tunnels go on until its deadline, and ends them then', async (t) => {
  const upstream = await tunnelUpstream(t, (say, bytes) => say(bytes))
  const proxy = await start(t, upstream.port)
  const client = await rawClient(t, proxy.port, ask)
  await client.until('\r\n\r\n')
  const deadline = new AbortController()
  const closed = proxy.listener.close(deadline.signal)
  client.send('still here')
  await client.until('still here')
  deadline.abort()
  await client.ended()
  await closed
  assert.equal((await proxy.exchange(1)).fault?.code, 'SHUTTING_DOWN')
})
