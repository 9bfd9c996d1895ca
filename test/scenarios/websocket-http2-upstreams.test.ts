// A WebSocket to a target of HTTP/2: on a stream where the target lets it (RFC 8441), on a connection of HTTP/1.1 where that may be spoken.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { test, type TestContext } from 'node:test'
import { authority } from '../support/authority.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { tunnelTarget as target } from '../support/tunnel-target.ts'
import { closed, echoOf, webSocketClient, webSocketRequest } from '../support/websocket.ts'

const always = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
const chosen = { ...always, when: 'chosen' } as const
const ca = authority('targets')
const local = ca.issue('localhost')
const tls = { ca: ca.cert, sni: 'localhost' }

const start = (t: TestContext, port: number, upstream: ProxyGiven['upstream']): Promise<TestProxy> =>
  startProxy(t, { targets: [port], upgrades: true, listener: { priorKnowledge: true }, upstream: upstream ?? {} })

test('a target that lets streams become tunnels gets them there, beside other requests', async (t) => {
  const upstream = await target(t, { settings: { enableConnectProtocol: true } })
  const proxy = await start(t, upstream.port, { http2: always })
  const [one, two] = [await webSocketClient(t, proxy.port), await webSocketClient(t, proxy.port)]
  assert.equal(await echoOf(one, 'hello'), 'hello')
  assert.equal((await request(proxy.port, '/')).text, '2.0')
  assert.equal(await echoOf(two, 'x'.repeat(300_000)), 'x'.repeat(300_000))
  assert.deepEqual(upstream.tunnels, ['2.0 websocket no key', '2.0 websocket no key'])
  assert.equal(upstream.connections, 1)
  one.close(1000)
  assert.equal(await closed(one), 1000)
  assert.equal(await echoOf(two, 'still there'), 'still there')
  const x = await proxy.exchange(2)
  assert.deepEqual([x.reply?.status, x.fault], [101, undefined])
})

test('a client of HTTP/2 gets one to such a target as well', async (t) => {
  const upstream = await target(t, { settings: { enableConnectProtocol: true } })
  const proxy = await start(t, upstream.port, { http2: always })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const stream = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', 'sec-websocket-version': '13' }, { endStream: false })
  stream.on('error', () => { /* it is cut at the end */ })
  const [head] = await once(stream, 'response') as [Record<string, unknown>]
  assert.deepEqual([head[':status'], head['x-a'], head['sec-websocket-accept']], [200, '1', undefined])
  stream.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69]))
  assert.deepEqual((await once(stream, 'data') as [Buffer])[0], Buffer.from('\x81\x02hi', 'latin1'))
})

test('a target that does not is asked in HTTP/1.1, where that may be spoken', async (t) => {
  const upstream = await target(t, { tls: local, allowHTTP1: true })
  const proxy = await start(t, upstream.port, { http2: chosen, tls })
  const client = await webSocketClient(t, proxy.port)
  assert.equal(await echoOf(client, 'hello'), 'hello')
  assert.deepEqual(upstream.tunnels, ['1.1'])
  assert.equal((await request(proxy.port, '/')).text, '2.0')
  assert.equal(await echoOf(await webSocketClient(t, proxy.port), 'again'), 'again')
})

test('and where it may not, the fault says so', async (t) => {
  const upstream = await target(t, {})
  const proxy = await start(t, upstream.port, { http2: always })
  for (let i = 1; i <= 2; i++) {
    await assert.rejects(webSocketClient(t, proxy.port), /502/)
    assert.equal((await proxy.exchange(i)).fault?.code, 'UPSTREAM_HTTP_VERSION')
  }
  assert.equal((await request(proxy.port, '/')).text, '2.0')
})

test('a refusal of the target is an answer like others', async (t) => {
  const upstream = await target(t, { settings: { enableConnectProtocol: true } })
  const proxy = await start(t, upstream.port, { http2: always })
  const client = await rawClient(t, proxy.port, webSocketRequest.replace('/chat?x=1', '/refused'))
  const answer = await client.answer()
  assert.deepEqual([answer.status, answer.header('x-why'), answer.body], [403, 'no', 'refused'])
})

test('tunnels outlive the configuration they were opened under; requests do not wait for them', async (t) => {
  const upstream = await target(t, { settings: { enableConnectProtocol: true } })
  const proxy = await start(t, upstream.port, { http2: always })
  const client = await webSocketClient(t, proxy.port)
  const from = performance.now()
  await proxy.upstream.close(AbortSignal.timeout(60_000))
  assert.ok(performance.now() - from < 30_000)
  assert.equal(await echoOf(client, 'still there'), 'still there')
  client.terminate()
  while (upstream.sessions.some(({ destroyed }) => !destroyed)) await new Promise((wait) => setTimeout(wait, 10))
})

test('a client that breaks off takes its stream with it, and no other', async (t) => {
  const upstream = await target(t, { settings: { enableConnectProtocol: true } })
  const proxy = await start(t, upstream.port, { http2: always })
  const [one, two] = [await webSocketClient(t, proxy.port), await webSocketClient(t, proxy.port)]
  one.terminate()
  await proxy.exchange(1)
  assert.equal(await echoOf(two, 'hello'), 'hello')
})
