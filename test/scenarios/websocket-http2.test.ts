import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import { describe, test, type TestContext } from 'node:test'
import { Places, webSocketFilter, type WebSocketSettings } from '../../proxy/websocket/index.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { echoServer } from '../support/websocket.ts'

async function watching (t: TestContext, port: number, settings: Partial<WebSocketSettings> = {}): Promise<{ proxy: TestProxy, session: ClientHttp2Session }> {
  const whole = {
    idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 10_000, maxMessageBytes: Infinity, maxConnections: Infinity, maxConnectionsPerIp: Infinity, ...settings,
  }
  const proxy = await startProxy(t, {
    targets: [port], upgrades: true, filters: [webSocketFilter(whole, new Places())],
    listener: { priorKnowledge: true, bodyIdleTimeoutMs: 300 },
  })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  session.on('error', () => { /* the proxy may cut it */ })
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  return { proxy, session }
}

const masked = (text: string): Buffer => Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])

interface Opened {
  readonly stream: ClientHttp2Stream
  readonly headers: Record<string, unknown>
  readonly heard: () => Buffer
  readonly until: (text: string) => Promise<void>
}

/** RFC 8441 section 5: no key, no Connection, no Upgrade. */
async function open (session: ClientHttp2Session, more: Record<string, string> = {}): Promise<Opened> {
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', 'sec-websocket-version': '13', ...more }, { endStream: false })
  let heard = Buffer.alloc(0)
  stream.on('data', (bytes: Buffer) => { heard = Buffer.concat([heard, bytes]) })
  stream.on('error', () => { /* so may a stream */ })
  const [headers] = await once(stream, 'response') as [Record<string, unknown>]
  const until = async (text: string): Promise<void> => { while (!heard.includes(text)) await once(stream, 'data') }
  return { stream, headers, heard: () => heard, until }
}

describe('a WebSocket over HTTP/2 to a server of HTTP/1.1', () => {
  test('is one: the handshake is made for the server, silence is no fault, other streams go on beside it', async (t) => {
    const { port } = await echoServer(t)
    const { proxy, session } = await watching(t, port)
    const first = await open(session)
    assert.equal(first.headers[':status'], 200)
    assert.equal(first.headers['sec-websocket-accept'], undefined)
    const second = await open(session)
    for (const { stream, until } of [first, second]) {
      stream.write(masked('hello'))
      await until('hello')
    }
    await new Promise((wait) => setTimeout(wait, 800))
    second.stream.write(masked('again'))
    await second.until('again')
    first.stream.write(Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]))
    await once(first.stream, 'end')
    assert.ok(first.heard().subarray(-4).equals(Buffer.from([0x88, 2, 0x03, 0xe8])))
    const x = await proxy.exchange(1)
    assert.deepEqual([x.reply?.status, x.fault, x.request.version], [101, undefined, '2'])
  })

  test('is watched: who breaks the rules is told, and the connection stays', async (t) => {
    const { port } = await echoServer(t)
    const { proxy, session } = await watching(t, port, { maxMessageBytes: 10 })
    const { stream, heard } = await open(session)
    stream.write(masked('01234567890'))
    await once(stream, 'end')
    assert.ok(heard().equals(Buffer.from([0x88, 2, 0x03, 0xf1])))
    assert.equal((await proxy.exchange(1)).fault?.code, 'MESSAGE_REFUSED')
    const next = await open(session)
    next.stream.write(masked('short'))
    await next.until('short')
  })

  test('is refused as any other', async (t) => {
    const { port } = await echoServer(t)
    const { session } = await watching(t, port, { maxConnections: 1 })
    assert.equal((await open(session, { 'sec-websocket-version': '8' })).headers[':status'], 426)
    await open(session)
    assert.equal((await open(session)).headers[':status'], 503)
  })

  test('whose client has ended its side at once is a tunnel that says nothing', async (t) => {
    const { port } = await echoServer(t)
    const { proxy, session } = await watching(t, port)
    const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', 'sec-websocket-version': '13' }, { endStream: true })
    stream.on('error', () => { /* either end may come first */ }).resume()
    await proxy.exchange(1)
    assert.ok(proxy.events.every(({ code }) => code !== 'INTERNAL'))
    assert.equal(proxy.done[0]!.fault?.code === 'INTERNAL', false)
  })

  test('is told when the listener closes at its deadline', async (t) => {
    const { port } = await echoServer(t)
    const { proxy, session } = await watching(t, port, { pingIntervalMs: 10_000 })
    const { stream, heard } = await open(session)
    const ended = once(stream, 'end')
    const closed = proxy.listener.close(AbortSignal.timeout(100))
    await ended
    assert.ok(heard().equals(Buffer.from([0x88, 2, 0x03, 0xe9])))
    await closed
  })
})
