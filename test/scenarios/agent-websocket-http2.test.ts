// Messages are looked into whatever carries them: HTTP/2 (RFC 8441) at either end or at both, and TLS.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type ClientHttp2Stream } from 'node:http2'
import { test, type TestContext } from 'node:test'
import { WebSocket } from 'ws'
import { agentFilter } from '../../proxy/decisions/index.ts'
import { emptyMessageAnswer } from '../../proto/codec/index.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { inspection } from '../../proxy/websocket/inspect/index.ts'
import { authority } from '../support/authority.ts'
import { ready, settings } from '../support/consulted.ts'
import { maskedFrame, maskedText } from '../support/inspected.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { allow, everything, rawAgent, type RawAgent } from '../support/raw-agent.ts'
import { tunnelTarget } from '../support/tunnel-target.ts'
import { echoOf, echoServer } from '../support/websocket.ts'

const ca = authority('websockets')
const local = ca.issue('localhost')

/** An agent that drops what says so, and marks what it passes with who said it. */
async function judging (t: TestContext): Promise<RawAgent> {
  const agent = await rawAgent(t, { describe: { ...everything, events: ['request_headers', 'websocket_message', 'complete'] } })
  agent.script.onEvent = (event, wire) => {
    if (event.kind !== 'websocket_message') return event.timeoutMs > 0 ? wire.reply(event, allow) : undefined
    const { data, fromClient, binary } = event.value
    if (data.includes('drop')) return wire.reply(event, { kind: 'message', value: { ...emptyMessageAnswer, kind: 'drop', value: {} } })
    if (data.includes('close')) return wire.reply(event, { kind: 'message', value: { ...emptyMessageAnswer, kind: 'close', value: { code: 4001, reason: 'no' } } })
    const marked = Buffer.concat([data, Buffer.from(fromClient ? '>' : '<')])
    wire.reply(event, { kind: 'message', value: { ...emptyMessageAnswer, kind: 'replace', value: { binary, data: marked } } })
  }
  return agent
}

async function inspecting (t: TestContext, given: Pick<ProxyGiven, 'targets' | 'listener' | 'upstream'>): Promise<{ proxy: TestProxy, agent: RawAgent }> {
  const agent = await judging(t)
  const client = await ready(t, agent.path)
  const watch = { idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 10_000, maxMessageBytes: 1024 * 1024, maxConnections: Infinity, maxConnectionsPerIp: Infinity, inspection }
  const filters = [webSocketFilter(watch, new Places()), agentFilter(client, { ...settings, timeoutMs: 5_000, maxTimeoutMs: 5_000 })]
  return { proxy: await startProxy(t, { ...given, upgrades: true, filters }), agent }
}

async function stream (t: TestContext, port: number, more: Record<string, string> = {}): Promise<{ stream: ClientHttp2Stream, heard: () => string, until: (text: string) => Promise<void>, headers: Record<string, unknown> }> {
  const session = connect(`http://127.0.0.1:${port}`)
  session.on('error', () => { /* the proxy may cut it */ })
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const opened = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', 'sec-websocket-version': '13', ...more }, { endStream: false })
  let heard = ''
  opened.on('data', (bytes: Buffer) => { heard += bytes.toString('latin1') }).on('error', () => { /* so may a stream */ })
  const [headers] = await once(opened, 'response') as [Record<string, unknown>]
  const until = async (text: string): Promise<void> => { while (!heard.includes(text)) await once(opened, 'data') }
  return { stream: opened, heard: () => heard, until, headers }
}

test('a client of HTTP/2', async (t) => {
  const { port } = await echoServer(t)
  const { proxy, agent } = await inspecting(t, { targets: [port], listener: { priorKnowledge: true } })
  const { stream: tunnel, heard, until, headers } = await stream(t, proxy.port)
  assert.equal(headers[':status'], 200)
  tunnel.write(Buffer.concat([maskedText('drop me'), maskedFrame(0x01, Buffer.from('hel')), maskedFrame(0x80, Buffer.from('lo'))]))
  await until('hello><')
  tunnel.write(maskedFrame(0x88, Buffer.from([0x03, 0xe8])))
  await once(tunnel, 'end')
  assert.equal(heard(), '\x81\x07hello><\x88\x02\x03\xe8')
  await agent.seen(({ kind }) => kind === 'complete')
  const x = await proxy.exchange(1)
  assert.deepEqual([x.fault, x.reply?.status], [undefined, 101])
})

test('a close is told to both ends of HTTP/2, and behind a close of a client nobody is asked', async (t) => {
  const upstream = await tunnelTarget(t, { settings: { enableConnectProtocol: true } })
  const given = { targets: [upstream.port], listener: { priorKnowledge: true }, upstream: { http2: { when: 'always', maxStreams: 100, pingIntervalMs: 0 } } } as const
  const { proxy, agent } = await inspecting(t, given)
  const first = await stream(t, proxy.port)
  first.stream.write(maskedText('close'))
  await once(first.stream, 'end')
  assert.equal(first.heard(), '\x88\x04\x0f\xa1no')
  assert.equal((await proxy.exchange(1)).fault, undefined)
  const second = await stream(t, proxy.port)
  second.stream.write(Buffer.concat([maskedFrame(0x88, Buffer.from([0x03, 0xe8])), maskedText('after')]))
  await once(second.stream, 'end')
  await agent.seen((event) => event.kind === 'complete' && event.exchange === 2)
  assert.ok(!agent.events.some((event) => event.kind === 'websocket_message' && event.value.data.includes('after')))
})

test('bytes of a client that come before the answer are looked into like all others', async (t) => {
  const { port } = await echoServer(t)
  const { proxy } = await inspecting(t, { targets: [port], listener: { priorKnowledge: true } })
  const session = connect(`http://127.0.0.1:${proxy.port}`)
  t.after(() => session.destroy())
  await once(session, 'remoteSettings')
  const tunnel = session.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ':scheme': 'http', 'sec-websocket-version': '13' }, { endStream: false })
  let heard = ''
  tunnel.on('data', (bytes: Buffer) => { heard += bytes.toString('latin1') })
  tunnel.write(Buffer.concat([maskedText('drop early'), maskedText('early')]))
  while (!heard.includes('early><')) await once(tunnel, 'data')
  assert.equal(heard, '\x81\x07early><')
})

test('a target of HTTP/2, and both ends of HTTP/2', async (t) => {
  const upstream = await tunnelTarget(t, { settings: { enableConnectProtocol: true } })
  const given = { targets: [upstream.port], listener: { priorKnowledge: true }, upstream: { http2: { when: 'always', maxStreams: 100, pingIntervalMs: 0 } } } as const
  const { proxy } = await inspecting(t, given)
  const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/`)
  t.after(() => client.terminate())
  await once(client, 'open')
  client.send('drop me')
  assert.equal(await echoOf(client, 'hello'), 'hello><')
  const { stream: tunnel, until } = await stream(t, proxy.port)
  tunnel.write(Buffer.concat([maskedText('drop me'), maskedText('both')]))
  await until('both><')
  assert.ok(upstream.tunnels.every((how) => how.startsWith('2.0')), upstream.tunnels.join())
})

test('TLS at both ends', async (t) => {
  const upstream = await tunnelTarget(t, { tls: local, allowHTTP1: true, settings: { enableConnectProtocol: true } })
  const { proxy } = await inspecting(t, { targets: [upstream.port], listener: { tls: local }, upstream: { tls: { ca: ca.cert, sni: 'localhost' } } })
  const client = new WebSocket(`wss://localhost:${proxy.port}/`, { ca: ca.cert })
  t.after(() => client.terminate())
  await once(client, 'open')
  client.send('drop me')
  assert.equal(await echoOf(client, 'hello'), 'hello><')
})

test('an upstream that accepts an extension nobody can read is refused, and one is not offered what cannot be read', async (t) => {
  const offers: string[] = []
  const { port, server } = await echoServer(t)
  server.on('headers', (headers, incoming) => {
    offers.push(incoming.headers['sec-websocket-extensions'] ?? 'none')
    if (incoming.url === '/odd') headers.push('Sec-WebSocket-Extensions: x-odd')
  })
  const { proxy } = await inspecting(t, { targets: [port], listener: { priorKnowledge: true } })
  const offered = 'x-odd; a="1,2", permessage-deflate; client_max_window_bits, permessage-deflate; x=1'
  assert.equal((await stream(t, proxy.port, { 'sec-websocket-extensions': offered })).headers[':status'], 200)
  assert.equal((await stream(t, proxy.port, { ':path': '/odd' })).headers[':status'], 502)
  assert.deepEqual(offers, ['permessage-deflate; client_max_window_bits', 'none'])
  assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_PROTOCOL')
})
