import assert from 'node:assert/strict'
import http from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { parseIpRange } from '../../config/schema/index.ts'
import { authority } from '../support/authority.ts'
import { folderWith } from '../support/folder.ts'
import { isInstalled, startHaproxy, startNginx } from '../support/neighbour.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'
import { shake } from '../support/tls-client.ts'
import { deadPort, rawUpstream, type RawConnection, type TestUpstream } from '../support/upstream.ts'

const haproxy = isInstalled('haproxy') ? {} : { skip: 'HAProxy is not installed' }
const nginx = isInstalled('nginx') ? {} : { skip: 'nginx is not installed' }

const loopback = parseIpRange('127.0.0.0/8')
assert.ok('value' in loopback)
const accepting = { proxyProtocol: { from: [loopback.value], required: true } }
const ours = authority('Ours')
const local = ours.issue('localhost')

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** Answers every head and keeps what each connection said. */
async function listeningUpstream (t: TestContext): Promise<{ upstream: TestUpstream, connections: RawConnection[] }> {
  const connections: RawConnection[] = []
  const answered = new WeakMap<RawConnection, number>()
  const upstream = await rawUpstream(t, (connection) => {
    if (!connections.includes(connection)) connections.push(connection)
    const heads = connection.received.split('\r\n\r\n').length - 1
    for (let i = answered.get(connection) ?? 0; i < heads; i++) connection.socket.write(ok)
    answered.set(connection, heads)
  })
  return { upstream, connections }
}

/** Sends `head` behind a header that states `client`, and resolves when it was answered. */
async function speakFor (t: TestContext, proxy: TestProxy, client: string, heads = 1): Promise<void> {
  const raw = await rawClient(t, proxy.port, `PROXY TCP4 ${client} 192.0.2.1 4321 443\r\n`)
  for (let i = 0; i < heads; i++) {
    raw.send(get)
    assert.equal((await raw.answer()).status, 200)
  }
}

function stating (port: number, upstream: ProxyGiven['upstream'] = {}): ProxyGiven {
  return { targets: [port], listener: accepting, upstream: { proxyProtocol: 'v1', ...upstream } }
}

test('before TLS a header is read as before HTTP', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { ...accepting, tls: local } })
  for (const together of [true, false]) {
    const socket = connectPlain(proxy.port, '127.0.0.1')
    t.after(() => socket.destroy())
    await new Promise((resolve) => socket.once('connect', resolve))
    socket.write('PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n')
    // Together with the header, or some time behind it, the handshake begins.
    if (!together) await new Promise((resolve) => setTimeout(resolve, 50))
    const answer = await new Promise<string>((resolve, reject) => {
      const secure = connectTls({ socket, ca: ours.cert, servername: 'localhost' }, () => secure.write(get))
      secure.on('error', reject).once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')))
    })
    assert.match(answer, /^HTTP\/1\.1 200 /)
  }
  await proxy.exchange(2)
  assert.deepEqual(proxy.done.map(({ clientIp, peer }) => [clientIp, peer.tls !== undefined]), [['198.51.100.7', true], ['198.51.100.7', true]])
})

test('HTTP/2 behind a header: its client is the stated one, and fields have the same limits', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { ...accepting, tls: local, maxHeaderValueBytes: 100 } })
  const socket = connectPlain(proxy.port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.write('PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n')
  const secure = connectTls({ socket, ca: ours.cert, servername: 'localhost', ALPNProtocols: ['h2'] })
  await new Promise((resolve, reject) => secure.once('secureConnect', resolve).once('error', reject))
  const session = connectHttp2('https://localhost', { createConnection: () => secure })
  t.after(() => session.destroy())
  const status = (value: string): Promise<unknown> => new Promise((resolve, reject) => {
    session.request({ ':path': '/', 'x-long': value }).on('response', (headers) => resolve(headers[':status'])).on('error', reject).resume()
  })
  assert.deepEqual([await status('v'.repeat(100)), await status('v'.repeat(101))], [200, 431])
  assert.equal((await proxy.exchange(1)).clientIp, '198.51.100.7')
})

test('a listener that is closed does not wait for headers', async (t) => {
  // Neither beyond the time that requests have, nor beyond its own deadline.
  for (const [requestTimeoutMs, deadline] of [[1_000, new AbortController().signal], [60_000, AbortSignal.timeout(1_000)]] as const) {
    const proxy = await startProxy(t, { targets: [1], listener: { ...accepting, requestTimeoutMs } })
    const client = await rawClient(t, proxy.port, 'PROXY ')
    await new Promise((resolve) => setTimeout(resolve, 20))
    await proxy.listener.close(deadline)
    assert.equal(await client.ended(), '')
  }
})

test('a target is told who the client is, first of all on each connection', async (t) => {
  const { upstream, connections } = await listeningUpstream(t)
  const proxy = await startProxy(t, stating(upstream.port))
  await speakFor(t, proxy, '198.51.100.7')
  assert.match(connections[0]!.received, /^PROXY TCP4 198\.51\.100\.7 192\.0\.2\.1 4321 443\r\nGET \/ HTTP\/1\.1\r\n/)
})

test('one client\'s connection to a target is never another client\'s', async (t) => {
  const { upstream, connections } = await listeningUpstream(t)
  const proxy = await startProxy(t, stating(upstream.port))
  await speakFor(t, proxy, '198.51.100.7', 3)
  await speakFor(t, proxy, '198.51.100.8', 2)
  await speakFor(t, proxy, '198.51.100.7', 1)
  const told = connections.map(({ received }) => [/^PROXY TCP4 (\S+)/.exec(received)?.[1], received.split('GET ').length - 1, received.split('PROXY').length - 1])
  assert.deepEqual(told, [['198.51.100.7', 4, 1], ['198.51.100.8', 2, 1]], 'client, requests, headers of each connection')
})

test('connections of many clients take places from each other, and nobody waits for one that is unused', async (t) => {
  const { upstream, connections } = await listeningUpstream(t)
  const proxy = await startProxy(t, stating(upstream.port, { poolMaxConnections: 2 }))
  for (let i = 1; i <= 6; i++) await speakFor(t, proxy, `198.51.100.${i}`)
  assert.equal(connections.length, 6)
  assert.ok(proxy.upstream.targets[0]!.connections <= 2)
})

test('who waits for a place gets a connection of its own', async (t) => {
  let open: (() => void) | undefined
  const seen: string[] = []
  const upstream = await rawUpstream(t, (connection) => {
    if (!connection.received.endsWith('\r\n\r\n')) return
    seen.push(/^PROXY TCP4 (\S+)/.exec(connection.received)?.[1] ?? '')
    if (open === undefined) open = () => connection.socket.write(ok)
    else connection.socket.write(ok)
  })
  const proxy = await startProxy(t, stating(upstream.port, { poolMaxConnections: 1 }))
  const first = speakFor(t, proxy, '198.51.100.1')
  while (open === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
  const second = speakFor(t, proxy, '198.51.100.2')
  while (proxy.upstream.targets[0]!.waiting === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  open()
  await Promise.all([first, second])
  assert.deepEqual(seen, ['198.51.100.1', '198.51.100.2'])
})

test('a target that speaks TLS is told before the handshake', async (t) => {
  let first = ''
  const secure = createTlsServer({ cert: local.cert, key: local.key }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => socket.write(ok))
  })
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    if (!received.includes('\r\n')) return
    first = received.slice(0, received.indexOf('\r\n'))
    socket.removeAllListeners('data')
    socket.pause()
    socket.unshift(Buffer.from(received.slice(first.length + 2), 'latin1'))
    secure.emit('connection', socket)
  })
  const proxy = await startProxy(t, stating(upstream.port, { tls: { ca: ours.cert, sni: 'localhost' } }))
  await speakFor(t, proxy, '198.51.100.7', 2)
  assert.equal(first, 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443')
  assert.equal(upstream.connections, 1)
})

test('large answers of a target that speaks TLS come whole, to a client that reads slowly as well', async (t) => {
  const body = Buffer.alloc(3_000_000, 'abcdefghij')
  const secure = createTlsServer({ cert: local.cert, key: local.key }, (socket) => {
    socket.on('error', () => {})
    socket.on('data', () => { socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`); socket.write(body) })
  })
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    const end = received.indexOf('\r\n')
    if (end === -1) return
    socket.removeAllListeners('data').pause()
    socket.unshift(Buffer.from(received.slice(end + 2), 'latin1'))
    secure.emit('connection', socket)
  })
  const proxy = await startProxy(t, stating(upstream.port, { tls: { ca: ours.cert, sni: 'localhost' } }))
  const client = await rawClient(t, proxy.port, `PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n${get}`)
  client.socket.pause()
  await new Promise((resolve) => setTimeout(resolve, 300))
  client.socket.resume()
  assert.equal((await client.answer()).body, body.toString('latin1'))
})

test('a target that speaks TLS and is not there is a target that is not there', async (t) => {
  const proxy = await startProxy(t, stating(await deadPort(), { tls: { ca: ours.cert, sni: 'localhost' } }))
  const client = await rawClient(t, proxy.port, `PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n${get}`)
  assert.equal((await client.answer()).status, 502)
  assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_CONNECT')
})

test('with the file of an operator: trusted proxies are asked about the stated address', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners {
    listener "web" { address "127.0.0.1:0"; proxy-protocol { from "127.0.0.1" }; trusted-proxies "198.51.100.0/24" }
  }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
  upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
  observability { metrics { address "127.0.0.1:0" } }`)
  for (const [stated, client] of [['198.51.100.7', '203.0.113.9'], ['192.0.2.7', '192.0.2.7']] as const) {
    const raw = await rawClient(t, sentinel.port(), `PROXY TCP4 ${stated} 192.0.2.1 4321 443\r\nGET /${stated} HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n`)
    assert.equal((await raw.answer()).status, 200)
    assert.equal((await sentinel.accessed(({ path }) => path === `/${stated}`)).client_ip, client)
  }
  const wrong = await rawClient(t, sentinel.port(), get)
  assert.equal(await wrong.ended(), '')
  await sentinel.logged(({ msg, peer }) => msg === 'PROXY header: there is none' && peer === '127.0.0.1')
  assert.match(await sentinel.metrics(), /sentinel_listener_faults_total\{listener="web",code="BAD_REQUEST"\} 1/)
})

for (const option of ['send-proxy', 'send-proxy-v2', 'send-proxy-v2 proxy-v2-options crc32c,authority', 'send-proxy-v2-ssl']) {
  for (const secure of [false, true]) {
    test(`HAProxy in front with ${option}${secure ? ' before TLS' : ''}`, haproxy, async (t) => {
      const upstream = await startRecordingUpstream(t)
      const proxy = await startProxy(t, { targets: [upstream.port], listener: { ...accepting, ...secure ? { tls: local } : {} } })
      const front = await startHaproxy(t, (port) => `listen web
  mode http
  bind 127.0.0.1:${port}
  source 127.0.0.3
  server sentinel 127.0.0.1:${proxy.port} ${option} ${secure ? 'ssl verify none sni str(localhost)' : ''}`)
      const agent = new http.Agent({ localAddress: '127.0.0.9' })
      const { status } = await request(front.port, '/', { agent })
      agent.destroy()
      assert.equal(status, 200)
      const { peer } = await proxy.exchange(1)
      assert.deepEqual([peer.address, peer.localAddress, peer.localPort], ['127.0.0.9', '127.0.0.1', front.port], 'not the address of HAProxy')
      assert.deepEqual(proxy.events, [])
    })
  }
}

for (const secure of [false, true]) {
  test(`HAProxy in front ${secure ? 'puts TLS on' : 'takes TLS off'}, and hands requests on in HTTP/2 with the scheme that its client spoke`, haproxy, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const proxy = await startProxy(t, { targets: [upstream.port], listener: { ...accepting, ...secure ? { tls: local } : { priorKnowledge: true } } })
    const pem = join(folderWith(t, { 'both.pem': Buffer.concat([local.cert, local.key]).toString() }), 'both.pem')
    const front = await startHaproxy(t, (port) => `listen web
  mode http
  bind 127.0.0.1:${port} ${secure ? '' : `ssl crt ${pem}`}
  server sentinel 127.0.0.1:${proxy.port} send-proxy-v2 ${secure ? 'ssl verify none alpn h2' : 'proto h2'}`)
    const status = secure ? (await request(front.port, '/')).status : Number(/^HTTP\/1\.1 (\d+)/.exec((await shake(front.port)).answer)?.[1])
    assert.equal(status, 200)
    assert.equal((await proxy.exchange(1)).request.version, '2')
  })
}

for (const version of ['v1', 'v2'] as const) {
  test(`HAProxy behind, which accepts ${version}`, haproxy, async (t) => {
    const back = await startHaproxy(t, (port) => `frontend web
  mode http
  bind 127.0.0.1:${port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port]"`)
    const proxy = await startProxy(t, { targets: [back.port], listener: accepting, upstream: { proxyProtocol: version } })
    for (const client of ['198.51.100.7', '198.51.100.8']) {
      const raw = await rawClient(t, proxy.port, `PROXY TCP4 ${client} 192.0.2.1 4321 443\r\n${get}`)
      assert.equal((await raw.answer()).body, `${client} 4321 192.0.2.1 443`)
    }
    const raw = await rawClient(t, proxy.port, `PROXY TCP6 2001:db8::7 2001:db8::1 4321 443\r\n${get}`)
    assert.equal((await raw.answer()).body, '2001:db8::7 4321 2001:db8::1 443')
  })

  test(`nginx behind, which accepts ${version}`, nginx, async (t) => {
    const back = await startNginx(t, (port) => `listen 127.0.0.1:${port} proxy_protocol; return 200 "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_port";`)
    const proxy = await startProxy(t, { targets: [back.port], listener: accepting, upstream: { proxyProtocol: version } })
    for (const client of ['198.51.100.7', '198.51.100.8']) {
      const raw = await rawClient(t, proxy.port, `PROXY TCP4 ${client} 192.0.2.1 4321 443\r\n${get}`)
      assert.equal((await raw.answer()).body, `${client} 4321 443`)
    }
  })
}
