// Who states another one's address is believed only where the operator says so, and only in one form.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parseIpRange, type PeerRange } from '../../config/schema/index.ts'
import { eventually } from '../support/eventually.ts'
import { tlv, v2, v4Addresses, withChecksum } from '../support/proxy-header.ts'
import { startProxy, type ProxyGiven, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream, type RecordingUpstream } from '../support/recording-upstream.ts'

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n'
const stated = 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\r\n'

function range (text: string): PeerRange {
  const parsed = parseIpRange(text)
  assert.ok('value' in parsed)
  return parsed.value
}

interface Behind {
  readonly proxy: TestProxy
  readonly upstream: RecordingUpstream
}

async function behind (t: TestContext, from: string, required = true, listener: ProxyGiven['listener'] = {}): Promise<Behind> {
  const upstream = await startRecordingUpstream(t)
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { ...listener, proxyProtocol: { from: [range(from)], required } } })
  return { proxy, upstream }
}

test('a listed sender is believed: the address it states is the client\'s', async (t) => {
  const { proxy, upstream } = await behind(t, '127.0.0.0/8')
  const client = await rawClient(t, proxy.port, stated + get)
  assert.equal((await client.answer()).status, 200)
  const { peer, clientIp, clientPort } = await proxy.exchange(1)
  assert.deepEqual([peer.address, peer.port, peer.localAddress, peer.localPort, clientIp, clientPort], ['198.51.100.7', 4321, '192.0.2.1', 443, '198.51.100.7', 4321])
  assert.deepEqual([upstream.requests[0]?.headers['x-forwarded-for'], upstream.requests[0]?.headers['x-real-ip']], ['198.51.100.7', '198.51.100.7'])
  client.send(get)
  assert.equal((await client.answer()).status, 200, 'one header for a connection, not for a request')
  assert.equal((await proxy.exchange(2)).clientIp, '198.51.100.7')
})

test('in pieces of one byte a header means the same', async (t) => {
  const { proxy } = await behind(t, '127.0.0.0/8')
  for (const header of [Buffer.from(stated), withChecksum([tlv(2, 'shop.example.com')])]) {
    const client = await rawClient(t, proxy.port)
    for (const byte of Buffer.concat([header, Buffer.from('GET')])) {
      client.send(Buffer.from([byte]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    client.send(get.slice(3))
    assert.equal((await client.answer()).status, 200)
    client.socket.destroy()
  }
  await proxy.exchange(2)
  assert.deepEqual(proxy.done.map(({ clientIp }) => clientIp), ['198.51.100.7', '198.51.100.7'])
})

test('anybody else is not believed: the header is no HTTP, and nothing reaches the upstream', async (t) => {
  const { proxy, upstream } = await behind(t, '10.0.0.0/8')
  for (const header of [stated, v2().toString('latin1')]) {
    const client = await rawClient(t, proxy.port, header + get)
    assert.match(await client.ended(), /^HTTP\/1\.1 400 /)
  }
  assert.equal(upstream.heads(), 0)
  const plain = await rawClient(t, proxy.port, get)
  assert.equal((await plain.answer()).status, 200)
  assert.equal((await proxy.exchange(1)).clientIp, '127.0.0.1')
})

test('a listed sender that states nothing is not served, and the log says why', async (t) => {
  const { proxy, upstream } = await behind(t, '127.0.0.1')
  const client = await rawClient(t, proxy.port, get)
  assert.equal(await client.ended(), '')
  assert.deepEqual(proxy.events.map(({ code, detail, peer }) => [code, detail, peer]), [['BAD_REQUEST', 'PROXY header: there is none', '127.0.0.1']])
  assert.equal(upstream.heads(), 0)
})

test('where it need not, it speaks for itself', async (t) => {
  const { proxy } = await behind(t, '127.0.0.1', false)
  const plain = await rawClient(t, proxy.port)
  for (const byte of get) plain.send(byte)
  assert.equal((await plain.answer()).status, 200)
  const other = await rawClient(t, proxy.port, stated + get)
  assert.equal((await other.answer()).status, 200)
  const wrong = await rawClient(t, proxy.port, `PROXY TCP4 198.51.100.7\r\n${get}`)
  assert.equal(await wrong.ended(), '', 'half a header is none that was left out')
  await proxy.exchange(2)
  assert.deepEqual(proxy.done.map(({ clientIp }) => clientIp), ['127.0.0.1', '198.51.100.7'])
})

test('whatever is wrong with a header ends the connection without an answer', async (t) => {
  const { proxy, upstream } = await behind(t, '127.0.0.1')
  const wrong: ReadonlyArray<Buffer | string> = [
    'PROXY TCP4 198.51.100.07 192.0.2.1 4321 443\r\n', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 65536\r\n', 'PROXY TCP4 198.51.100.7 192.0.2.1 4321 443\n',
    'PROXY TCP6 198.51.100.7 192.0.2.1 4321 443\r\n', `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`, v2({ versionAndCommand: 0x11 }), v2({ versionAndCommand: 0x2f }),
    v2({ family: 0x12 }), v2({ length: 65_535 }), v2({ body: v4Addresses().subarray(4) }), withChecksum([], true),
    v2({ body: Buffer.concat([v4Addresses(), Buffer.from([3, 255, 255])]) }), `${stated.slice(0, -2)}\0\r\n`, ' PROXY UNKNOWN\r\n', '\r\nPROXY UNKNOWN\r\n',
  ]
  for (const header of wrong) {
    const client = await rawClient(t, proxy.port)
    client.send(Buffer.concat([Buffer.from(header), Buffer.from(get)]))
    assert.equal(await client.ended(), '', JSON.stringify(header.toString('latin1')))
  }
  assert.equal(upstream.heads(), 0)
  assert.equal(proxy.events.length, wrong.length)
  assert.ok(proxy.events.every(({ code, detail }) => code === 'BAD_REQUEST' && detail.startsWith('PROXY header: ')))
})

test('a second header is not one: it is what the client said', async (t) => {
  const { proxy, upstream } = await behind(t, '127.0.0.1')
  const client = await rawClient(t, proxy.port, stated + stated + get)
  assert.match(await client.ended(), /^HTTP\/1\.1 400 /)
  assert.equal(upstream.heads(), 0)
})

test('a header that does not come, or not to its end, is not awaited longer than a head', async (t) => {
  const { proxy } = await behind(t, '127.0.0.1', true, { requestTimeoutMs: 150 })
  for (const part of ['', 'PROXY TCP4 198.', v2().subarray(0, 20).toString('latin1')]) {
    const started = performance.now()
    const client = await rawClient(t, proxy.port, part)
    assert.equal(await client.ended(), '')
    assert.ok(performance.now() - started < 20_000)
  }
  const dripping = await rawClient(t, proxy.port)
  const drip = setInterval(() => dripping.send('x'), 20)
  dripping.send('PROXY UNKNOWN ')
  assert.equal(await dripping.ended(), '')
  clearInterval(drip)
  assert.ok(proxy.events.every(({ detail }) => detail === 'PROXY header: not whole within 150 ms'), JSON.stringify(proxy.events))
})

test('a sender that leaves in the middle of a header leaves nothing behind', async (t) => {
  const { proxy } = await behind(t, '127.0.0.1')
  const client = await rawClient(t, proxy.port, 'PROXY TCP4 198.')
  client.socket.end()
  assert.equal(await client.ended(), '')
  await eventually('nothing is left behind', () => proxy.listener.connections === 0)
  const whole = await rawClient(t, proxy.port, 'PROXY UNKNOWN\r\n')
  whole.socket.end()
  assert.equal(await whole.ended(), '')
})

test('LOCAL and UNKNOWN speak for the sender itself', async (t) => {
  const { proxy } = await behind(t, '127.0.0.1')
  for (const header of ['PROXY UNKNOWN\r\n', v2({ versionAndCommand: 0x20, family: 0, body: Buffer.alloc(0) }).toString('latin1')]) {
    const client = await rawClient(t, proxy.port, header + get)
    assert.equal((await client.answer()).status, 200)
  }
  await proxy.exchange(2)
  assert.deepEqual(proxy.done.map(({ clientIp }) => clientIp), ['127.0.0.1', '127.0.0.1'])
})
