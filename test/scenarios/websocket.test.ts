import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { rawUpstream } from '../support/upstream.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { Places, webSocketFilter, type WebSocketSettings } from '../../proxy/websocket/index.ts'
import { eventually } from '../support/eventually.ts'
import { acceptingHandshake, closed, echoOf, echoServer, webSocketClient, webSocketRequest, webSocketServer } from '../support/websocket.ts'

const site = (port: number, websocket: string): string => siteWith(port, '', [], 'system { graceful-shutdown-timeout "2s" }', `${websocket}; `)

const start = (t: TestContext, port: number, websocket: string): Promise<RunningSentinel> => startSentinel(t, site(port, websocket))

/** A route in this process that watches its tunnels. */
function watching (t: TestContext, port: number, settings: Partial<WebSocketSettings> = {}): Promise<TestProxy> {
  const whole = {
    idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 10_000, maxMessageBytes: Infinity, maxConnections: Infinity, maxConnectionsPerIp: Infinity, ...settings,
  }
  return startProxy(t, { targets: [port], upgrades: true, filters: [webSocketFilter(whole, new Places())] })
}

/** A tunnel whose ends both are in the hands of the test. */
async function tunnel (t: TestContext, settings: Partial<WebSocketSettings> = {}, allowHalfOpen = false) {
  let heard = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    const end = received.indexOf('\r\n\r\n') + 4
    if (heard === '' && received.length === end) socket.write(acceptingHandshake(received))
    heard = received.slice(end)
  }, allowHalfOpen)
  const proxy = await watching(t, upstream.port, settings)
  const client = await rawClient(t, proxy.port, webSocketRequest)
  const head = await client.until('\r\n\r\n')
  const [target] = upstream.sockets
  return { proxy, client, target: target!, heard: () => heard, said: () => client.received.slice(head.length) }
}

const close = (code: number): string => String.fromCharCode(0x88, 2, code >> 8, code & 0xff)

/** Code of the Close frame at the end of what a server heard, which is masked. */
function maskedClose (heard: string): number {
  const frame = Buffer.from(heard.slice(-8), 'latin1')
  assert.deepEqual([frame[0], frame[1]], [0x88, 0x82], heard)
  return (frame[6]! ^ frame[2]!) << 8 | frame[7]! ^ frame[3]!
}

describe('a route with websocket #true', () => {
  test('passes messages, and the log tells of the tunnel when it is over', async (t) => {
    const { port } = await echoServer(t)
    const sentinel = await start(t, port, 'websocket #true')
    const client = await webSocketClient(t, sentinel.port(), { perMessageDeflate: true })
    assert.equal(await echoOf(client, 'hello'), 'hello')
    await new Promise((wait) => setTimeout(wait, 60))
    assert.equal(sentinel.access.length, 0)
    assert.match(await sentinel.metrics(), /sentinel_open_tunnels\{route="all"\} 1/)
    client.close(1000)
    assert.equal(await closed(client), 1000)
    const line = await sentinel.accessed(({ status }) => status === 101)
    assert.equal(line.fault, undefined)
    assert.ok(Number(line['bytes_in']) > 5 && Number(line['bytes_out']) > 5 && Number(line['duration_ms']) > 50)
    const metrics = await sentinel.metrics()
    assert.match(metrics, /sentinel_requests_total\{route="all",method="GET",status="101"\} 1/)
    assert.match(metrics, /sentinel_tunnel_duration_seconds_count\{route="all"\} 1/)
    assert.doesNotMatch(metrics, /sentinel_request_duration_seconds_count\{route="all"\} [1-9]/)
  })

  test('refuses another version of the protocol with the one it speaks', async (t) => {
    const { port } = await echoServer(t)
    const proxy = await watching(t, port)
    const client = await rawClient(t, proxy.port, webSocketRequest.replace('Version: 13', 'Version: 8'))
    const answer = await client.answer()
    assert.deepEqual([answer.status, answer.header('sec-websocket-version')], [426, '13'])
  })

  test('serves ordinary requests as before', async (t) => {
    const { port } = await echoServer(t)
    const proxy = await watching(t, port)
    // The server of the test says so to everything that is no handshake.
    assert.equal((await request(proxy.port, '/')).status, 426)
  })
})

test('a route that does not want WebSockets refuses them with 403', async (t) => {
  const { port } = await echoServer(t)
  const sentinel = await start(t, port, 'websocket #false')
  for (const websocket of ['websocket #false', 'websocket { enabled #false; max-connections 3 }', 'enabled #true']) {
    assert.equal((await sentinel.reload(site(port, websocket))).event, 'reloaded')
    await assert.rejects(webSocketClient(t, sentinel.port()), /403/)
  }
  assert.equal((await sentinel.accessed(({ status }) => status === 403)).fault, 'UPGRADE_REFUSED')
})

describe('max-message-size', () => {
  test('closes the sender with 1009 and the other side with 1001, whoever it is', async (t) => {
    const { server, port } = await webSocketServer(t)
    const proxy = await watching(t, port, { maxMessageBytes: 1024 })
    for (const [i, sender] of (['client', 'server'] as const).entries()) {
      const connected = once(server, 'connection')
      const client = await webSocketClient(t, proxy.port)
      const [there] = await connected as [WebSocket]
      const [from, to] = sender === 'client' ? [client, there] : [there, client]
      const got: number[] = []
      to.on('message', (data: Buffer) => got.push(data.length))
      from.send(Buffer.alloc(1024))
      from.send(Buffer.alloc(1025))
      assert.deepEqual(await Promise.all([closed(from), closed(to)]), [1009, 1001])
      assert.deepEqual(got, [1024])
      assert.equal((await proxy.exchange(i + 1)).fault?.code, sender === 'client' ? 'MESSAGE_REFUSED' : 'UPSTREAM_PROTOCOL')
    }
  })

  test('lets through many messages of less, in fragments and in any pieces', async (t) => {
    const { port } = await echoServer(t)
    const proxy = await watching(t, port, { maxMessageBytes: 64 * 1024 })
    const client = await webSocketClient(t, proxy.port, { perMessageDeflate: false })
    const sent = Buffer.alloc(60_000, 'x')
    for (let i = 0; i < 20; i++) client.send(sent)
    client.send(sent.subarray(0, 20_000), { fin: false })
    client.ping()
    client.send(sent.subarray(20_000), { fin: true })
    let messages = 0
    await new Promise<void>((resolve) => client.on('message', (data: Buffer) => {
      assert.ok(data.equals(sent))
      if (++messages === 21) resolve()
    }))
  })
})

describe('a frame that breaks the protocol', () => {
  const rows: ReadonlyArray<[string, string]> = [
    ['without a mask', '\x81\x01x'], ['of a reserved kind', '\x83\x80\x00\x00\x00\x00'], ['with a ping of 126 bytes', '\x89\xfe\x00\x7e\x00\x00\x00\x00'],
    ['with a reserved bit', '\xc1\x80\x00\x00\x00\x00'],
  ]
  for (const [what, bytes] of rows) {
    test(`${what} is not passed on: 1002, and 1001 for the upstream`, async (t) => {
      const { client, heard, said } = await tunnel(t, { maxMessageBytes: 1024 * 1024 })
      client.send(`\x81\x80abcd${bytes}`)
      await client.ended()
      assert.equal(said(), close(1002))
      await eventually('the upstream is told', () => heard().length >= 6 + 8)
      assert.equal(heard().slice(0, 6), '\x81\x80abcd')
      assert.equal(heard().length, 6 + 8)
      assert.equal(maskedClose(heard()), 1001)
    })
  }

  test('is told of behind the frame that is passing to its sender, and not at all when that does not end', async (t) => {
    for (const ends of [true, false]) {
      const { client, target, heard, said } = await tunnel(t, { maxMessageBytes: 1_000 }, true)
      target.write('\x81\x04ab', 'latin1')
      await client.until('ab')
      client.send('\x83\x80abcd')
      await eventually('the upstream is told, so the proxy knows', () => heard().length >= 8)
      if (ends) target.write('cd\x81\x01x', 'latin1')
      await client.ended()
      assert.equal(said(), ends ? `\x81\x04abcd${close(1002)}` : '\x81\x04ab')
    }
  })

  test('passes unread where no setting is about frames', async (t) => {
    const { client, heard } = await tunnel(t)
    client.send('whatever this is')
    await eventually('it arrived', () => heard() === 'whatever this is')
  })
})

describe('ping-interval', { concurrency: 2 }, () => {
  test('keeps those who answer, on both sides', async (t) => {
    const { server, port } = await webSocketServer(t)
    const proxy = await watching(t, port, { pingIntervalMs: 100, pingTimeoutMs: 2_000, idleMs: 2_100 })
    const connected = once(server, 'connection')
    const client = await webSocketClient(t, proxy.port)
    const [there] = await connected as [WebSocket]
    let pings = 0
    client.on('ping', () => pings++)
    there.on('ping', () => pings++)
    await new Promise((wait) => setTimeout(wait, 3_500))
    assert.equal(client.readyState, WebSocket.OPEN)
    assert.ok(pings >= 6, `${pings} pings`)
    client.close(1000)
    assert.equal(await closed(there), 1000)
  })

  for (const silent of ['client', 'server'] as const) {
    test(`ends the tunnel of a ${silent} that does not answer`, async (t) => {
      const { server, port } = await webSocketServer(t, { autoPong: silent !== 'server' })
      const proxy = await watching(t, port, { pingIntervalMs: 100, pingTimeoutMs: 1_000 })
      const connected = once(server, 'connection')
      const client = await webSocketClient(t, proxy.port, { autoPong: silent !== 'client' })
      const [there] = await connected as [WebSocket]
      assert.deepEqual(await Promise.all([closed(client), closed(there)]), silent === 'client' ? [1002, 1001] : [1001, 1002])
      assert.equal((await proxy.exchange(1)).fault?.code, silent === 'client' ? 'CLIENT_TIMEOUT' : 'UPSTREAM_TIMEOUT')
    })
  }

  test('puts pings between frames, never into one', async (t) => {
    const { client, target, said } = await tunnel(t, { pingIntervalMs: 50, pingTimeoutMs: 60_000 })
    const message = 'y'.repeat(100)
    target.write(`\x81\x64${message.slice(0, 40)}`, 'latin1')
    await client.until(message.slice(0, 40))
    await new Promise((wait) => setTimeout(wait, 200))
    target.write(`${message.slice(40)}\x81\x02ok`, 'latin1')
    // Not only "ok", which the random request id may hold.
    await client.until('\x81\x02ok')
    const at = said().indexOf('\x81\x64')
    assert.equal(said().slice(at, at + 102), `\x81\x64${message}`)
    // The one that was due meanwhile stands right behind it.
    assert.equal(said().slice(at + 102, at + 104), '\x89\x04')
  })
})

describe('a tunnel', { concurrency: 2 }, () => {
  test('that is silent ends after idle-timeout, with words for both sides', async (t) => {
    for (const settings of [{ maxMessageBytes: 1_024 }, {}]) {
      const { proxy, client, heard, said } = await tunnel(t, { ...settings, idleMs: 200 })
      for (let i = 0; i < 4; i++) {
        await new Promise((wait) => setTimeout(wait, 100))
        client.send('\x81\x80abcd')
      }
      await client.ended()
      assert.equal(said(), close(1001))
      await eventually('the upstream is told', () => heard().length >= 8 && heard().at(-8) === '\x88')
      assert.equal(maskedClose(heard()), 1001)
      assert.equal((await proxy.exchange(1)).fault?.code, 'TUNNEL_IDLE')
    }
  })

  test('has one of so many places, of its route and of its address', async (t) => {
    const { port } = await echoServer(t)
    const sentinel = await startSentinel(t, site(port, 'websocket { max-connections 3; max-connections-per-ip 2 }').replace('"127.0.0.1:0" }', '"127.0.0.1:0"; trusted-proxies "127.0.0.1" }'))
    const from = (address: string) => webSocketClient(t, sentinel.port(), { headers: { 'x-forwarded-for': address } })
    const first = await from('192.0.2.1')
    await from('192.0.2.1')
    await assert.rejects(from('192.0.2.1'), /429/)
    await from('192.0.2.2')
    await assert.rejects(from('192.0.2.3'), /503/)
    assert.equal((await sentinel.accessed(({ status }) => status === 429)).fault, 'CLIENT_TUNNELS_FULL')
    assert.equal((await sentinel.accessed(({ status }) => status === 503)).fault, 'TUNNELS_FULL')
    // A reload forgets nobody.
    assert.equal((await sentinel.reload(site(port, 'websocket { max-connections 3 }').replace('"127.0.0.1:0" }', '"127.0.0.1:0"; trusted-proxies "127.0.0.1" }'))).event, 'reloaded')
    await assert.rejects(from('192.0.2.3'), /503/)
    first.close()
    await sentinel.accessed(({ status }) => status === 101)
    await from('192.0.2.3')
  })

  test('outlives a reload that takes its upstream, its agent and its route away', async (t) => {
    const { port } = await echoServer(t)
    const other = await echoServer(t)
    const kdl = (upstreamPort: number, agents: string, filters: readonly string[], route: string): string =>
      siteWith(upstreamPort, agents, filters, 'system { graceful-shutdown-timeout "300ms" }', route)
    const sentinel = await startSentinel(t, kdl(port, scriptedAgent('guard'), ['guard'], 'websocket { ping-interval "1h"; idle-timeout "2h" }; '))
    const client = await webSocketClient(t, sentinel.port())
    assert.equal(await echoOf(client, 'before'), 'before')
    assert.equal((await sentinel.reload(kdl(other.port, '', [], ''))).event, 'reloaded')
    await new Promise((wait) => setTimeout(wait, 1_000))
    assert.equal(await echoOf(client, 'after'), 'after')
    await assert.rejects(webSocketClient(t, sentinel.port()), /403/)
  })

  test('gets until the deadline when the proxy stops, and 1001 then, where frames are known', async (t) => {
    const { server, port } = await echoServer(t)
    const sentinel = await start(t, port, 'websocket { ping-interval "10s" }')
    const connected = once(server, 'connection')
    const client = await webSocketClient(t, sentinel.port())
    const [there] = await connected as [WebSocket]
    const startedMs = performance.now()
    const ends = Promise.all([closed(client), closed(there)])
    const stopped = sentinel.stop()
    assert.equal(await echoOf(client, 'still here'), 'still here')
    assert.deepEqual(await ends, [1001, 1001])
    const ms = performance.now() - startedMs
    assert.ok(ms > 1_900 && ms < 20_000, `${ms} ms`)
    assert.equal(await stopped, 0)
  })
})

test('an upgrade that is refused before it began leaves no place taken', async (t) => {
  const upstream = await rawUpstream(t, ({ socket }) => { socket.end('HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n') })
  const { port } = await watching(t, upstream.port, { maxConnections: 1 })
  for (let i = 0; i < 3; i++) await assert.rejects(webSocketClient(t, port), /401/)
})
