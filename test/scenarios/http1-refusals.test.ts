import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { rawUpstream } from '../support/upstream.ts'

/** A proxy before a target that must hear nothing. */
async function silentProxy (t: TestContext, listener: Parameters<typeof startProxy>[1]['listener'] = {}): Promise<{ proxy: TestProxy, heard: () => string }> {
  let heard = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    heard += received
    socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  return { proxy: await startProxy(t, { targets: [upstream.port], listener }), heard: () => heard }
}

const host = 'Host: a\r\n'
const vectors: ReadonlyArray<[why: string, request: string, status?: number]> = [
  ['Content-Length beside Transfer-Encoding', `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['Transfer-Encoding beside Content-Length', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n`],
  ['two different lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
  ['the same length twice', `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc`],
  ['a list of lengths', `POST / HTTP/1.1\r\n${host}Content-Length: 3, 3\r\n\r\nabc`],
  ['a signed length', `POST / HTTP/1.1\r\n${host}Content-Length: +3\r\n\r\nabc`],
  ['a negative length', `POST / HTTP/1.1\r\n${host}Content-Length: -3\r\n\r\nabc`],
  ['a hexadecimal length', `POST / HTTP/1.1\r\n${host}Content-Length: 0x3\r\n\r\nabc`],
  ['an empty length', `POST / HTTP/1.1\r\n${host}Content-Length:\r\n\r\n`],
  ['gzip before chunked', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
  ['chunked before identity', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
  ['chunked twice', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n`],
  ['two Transfer-Encoding fields', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a disguised chunked', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
  ['chunked behind a vertical tab', `POST / HTTP/1.1\r\n${host}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
  ['a space before the colon', `POST / HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n`],
  ['a folded field', `GET / HTTP/1.1\r\n${host}X-A: 1\r\n Transfer-Encoding: chunked\r\n\r\n`],
  ['a folded Transfer-Encoding', `POST / HTTP/1.1\r\n${host}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`],
  ['chunked in HTTP/1.0', `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a NUL in a value', `GET / HTTP/1.1\r\n${host}X-A: a\x00b\r\n\r\n`],
  ['a bare CR in a value', `GET / HTTP/1.1\r\n${host}X-A: a\rb\r\n\r\n`],
  ['a bare LF at a line end', `GET / HTTP/1.1\r\n${host}X-A: a\nX-B: b\r\n\r\n`],
  ['a field without a colon', `GET / HTTP/1.1\r\n${host}X-A\r\n\r\n`],
  ['a field without a name', `GET / HTTP/1.1\r\n${host}: a\r\n\r\n`],
  ['a name that is no token', `GET / HTTP/1.1\r\n${host}X{A}: a\r\n\r\n`],
  ['a line that starts with a space', `GET / HTTP/1.1\r\n X: a\r\n${host}\r\n`],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
  ['two Host fields', `GET / HTTP/1.1\r\n${host}${host}\r\n`],
  ['a Host with a path', 'GET / HTTP/1.1\r\nHost: a/b\r\n\r\n'],
  ['a Host with user information', 'GET / HTTP/1.1\r\nHost: a@b\r\n\r\n'],
  ['a fragment in the target', `GET /a#b HTTP/1.1\r\n${host}\r\n`],
  ['a target without a slash', `GET a HTTP/1.1\r\n${host}\r\n`],
  ['an asterisk without OPTIONS', `GET * HTTP/1.1\r\n${host}\r\n`],
  ['another scheme', `GET https://a/ HTTP/1.1\r\n${host}\r\n`],
  ['a space in the target', `GET /a b HTTP/1.1\r\n${host}\r\n`],
  ['a tab in the target', `GET /a\tb HTTP/1.1\r\n${host}\r\n`],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['HTTP/1.2', `GET / HTTP/1.2\r\n${host}\r\n`],
  ['HTTP/2.0 on a line', `GET / HTTP/2.0\r\n${host}\r\n`],
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['a lower-case method', `get / HTTP/1.1\r\n${host}\r\n`],
  ['a TLS hello on a plain port', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', 501],
  ['an unknown expectation', `POST / HTTP/1.1\r\n${host}Expect: the-best\r\nContent-Length: 0\r\n\r\n`, 417],
  ['a head that is too large', `GET / HTTP/1.1\r\n${host}X-A: ${'a'.repeat(9000)}\r\n\r\n`, 431],
  ['a request line that is too long', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${host}\r\n`, 414],
  ['a request line that never ends', `GET /${'a'.repeat(9000)}`, 414],
  ['a request line of as much as all of the head may have', `GET /${'a'.repeat(8192 - 16)} HTTP/1.1\r\n${host}\r\n`, 431],
  ['too many field lines', `GET / HTTP/1.1\r\n${host}${'X: 1\r\n'.repeat(100)}\r\n`, 431],
]

describe('a request that two servers could read in two ways is refused before anybody acts on it', () => {
  for (const [why, bytes, status = 400] of vectors) {
    test(why, async (t) => {
      const { proxy, heard } = await silentProxy(t)
      const client = await rawClient(t, proxy.port, bytes)
      const all = await client.ended()
      assert.match(all, new RegExp(`^HTTP/1\\.1 ${status} `))
      assert.match(all, /\r\nContent-Type: application\/problem\+json\r\n/)
      assert.match(all, /\r\nConnection: close\r\n/)
      assert.equal(JSON.parse(all.slice(all.indexOf('\r\n\r\n'))).status, status)
      assert.equal(all.split('HTTP/1.1 ').length, 2, 'one answer')
      assert.equal(heard(), '')
      assert.equal(proxy.events.length, 1)
    })
  }
})

describe('a body that breaks the rules in the middle', () => {
  const bodies: ReadonlyArray<[string, string]> = [
    ['a chunk size that is no number', 'zz\r\n'],
    ['a chunk size with a sign', '+3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk size with 0x', '0x3\r\nabc\r\n0\r\n\r\n'],
    ['a chunk longer than its size', '3\r\nabcd\r\n0\r\n\r\n'],
    ['a chunk size too large for any number', 'fffffffffffffffff\r\n'],
    ['a bare LF behind the size', '3\nabc\r\n0\r\n\r\n'],
  ]
  for (const [why, bytes] of bodies) {
    test(`${why}: 400, and the target sees no complete request`, async (t) => {
      const { proxy, heard } = await silentProxy(t)
      const client = await rawClient(t, proxy.port, `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${bytes}`)
      assert.match(await client.ended(), /^HTTP\/1\.1 400 /)
      assert.doesNotMatch(heard(), /\r\n0\r\n\r\n$/)
    })
  }
})

test('what cannot be parsed behind a good request is refused after that one was answered', async (t) => {
  const { proxy } = await silentProxy(t)
  const client = await rawClient(t, proxy.port, `GET / HTTP/1.1\r\n${host}\r\nGARBAGE\r\n\r\n`)
  assert.match(await client.ended(), /^HTTP\/1\.1 200 [^]*HTTP\/1\.1 400 /)
})

test('Upgrade to anything but WebSocket is an ordinary request', async (t) => {
  const { proxy, heard } = await silentProxy(t)
  const client = await rawClient(t, proxy.port, `GET / HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n`)
  assert.equal((await client.answer()).status, 200)
  assert.doesNotMatch(heard(), /upgrade/i)
})

test('however many requests are pipelined, all are answered, in their order', async (t) => {
  const { proxy } = await silentProxy(t)
  const many = 300
  const client = await rawClient(t, proxy.port, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(many - 1) + `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`)
  const all = await client.ended()
  assert.equal(all.split('HTTP/1.1 200').length - 1, many)
  assert.equal(all.split('Connection: close').length - 1, 1)
})

test('connections above the limit are closed', async (t) => {
  const { proxy } = await silentProxy(t, { maxConnections: 1 })
  const first = await rawClient(t, proxy.port, `GET / HTTP/1.1\r\n${host}\r\n`)
  await first.answer()
  const second = await rawClient(t, proxy.port)
  assert.equal(await second.ended(), '')
  assert.equal(proxy.events[0]?.code, 'OVERLOADED')
})

test('a connection serves as many requests as it may, and says so on the last', async (t) => {
  const { proxy } = await silentProxy(t, { keepaliveMaxRequests: 2 })
  const client = await rawClient(t, proxy.port, `GET / HTTP/1.1\r\n${host}\r\n`.repeat(3))
  const all = await client.ended()
  assert.equal(all.split('HTTP/1.1 200').length - 1, 2)
  assert.equal(all.split('Connection: close').length - 1, 1)
})
