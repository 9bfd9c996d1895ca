import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { data, get, h2Client, headers, post, type H2Client } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { rawUpstream } from '../support/upstream.ts'

/**
 * Requests in HTTP/2 that would be something else in HTTP/1.1 (H2.CL, H2.TE, injected lines, pseudo-fields). Nothing of them reaches the upstream;
 * what does is held against the very bytes it should be.
 */
interface Vector {
  readonly name: string
  readonly fields: readonly string[]
  /** DATA behind the head; without it the head ends the request. */
  readonly body?: string
  readonly trailers?: readonly string[]
  /** "RST PROTOCOL_ERROR", or the status of the answer. */
  readonly gives: string | number
}

const malformed = 'RST PROTOCOL_ERROR'
const smuggled = 'GET /admin HTTP/1.1\r\nHost: shop.test\r\n\r\n'
const pseudo = (...fields: readonly string[]): readonly string[] => fields

const vectors: readonly Vector[] = [
  { name: 'H2.CL: fewer bytes announced than sent', fields: post('/', 'content-length', '0'), body: smuggled, gives: malformed },
  { name: 'H2.CL: more bytes announced than sent', fields: post('/', 'content-length', '400'), body: smuggled, gives: malformed },
  { name: 'H2.CL: announced, and none sent', fields: post('/', 'content-length', '5'), gives: malformed },
  { name: 'H2.CL: two lengths', fields: post('/', 'content-length', '3', 'content-length', '3'), body: 'abc', gives: 400 },
  { name: 'H2.CL: a list of lengths', fields: post('/', 'content-length', '3, 3'), body: 'abc', gives: 400 },
  { name: 'H2.CL: a sign', fields: post('/', 'content-length', '+3'), body: 'abc', gives: 400 },
  { name: 'H2.CL: hexadecimal', fields: post('/', 'content-length', '0x3'), body: 'abc', gives: 400 },
  { name: 'H2.CL: an alias', fields: post('/', 'content_length', '3'), body: 'abc', gives: 400 },
  { name: 'H2.CL: behind the body', fields: post('/'), body: 'abc', trailers: ['content-length', '3'], gives: malformed },
  { name: 'Host behind the body', fields: post('/'), body: 'abc', trailers: ['host', 'other.test'], gives: malformed },
  { name: 'H2.TE: chunked', fields: post('/', 'transfer-encoding', 'chunked'), body: `0\r\n\r\n${smuggled}`, gives: malformed },
  { name: 'H2.TE: identity', fields: post('/', 'transfer-encoding', 'identity'), body: 'abc', gives: malformed },
  { name: 'H2.TE: an alias', fields: post('/', 'transfer_encoding', 'chunked'), body: 'abc', gives: 400 },
  { name: 'H2.TE: in upper case', fields: post('/', 'Transfer-Encoding', 'chunked'), body: 'abc', gives: malformed },
  { name: 'H2.TE: with a space behind the name', fields: post('/', 'transfer-encoding ', 'chunked'), body: 'abc', gives: malformed },
  { name: 'H2.TE: behind the body', fields: post('/'), body: 'abc', trailers: ['transfer-encoding', 'chunked'], gives: malformed },
  { name: 'te other than trailers', fields: get('/', 'te', 'chunked'), gives: malformed },
  { name: 'connection', fields: get('/', 'connection', 'x-secret'), gives: malformed },
  { name: 'keep-alive', fields: get('/', 'keep-alive', '1'), gives: malformed },
  { name: 'proxy-connection', fields: get('/', 'proxy-connection', 'close'), gives: malformed },
  { name: 'upgrade', fields: get('/', 'upgrade', 'websocket'), gives: malformed },
  { name: 'CRLF in a value', fields: get('/', 'x', 'a\r\ntransfer-encoding: chunked'), gives: malformed },
  { name: 'LF in a value', fields: get('/', 'x', 'a\nx-y: z'), gives: malformed },
  { name: 'CR in a value', fields: get('/', 'x', 'a\rb'), gives: malformed },
  { name: 'NUL in a value', fields: get('/', 'x', 'a\0b'), gives: malformed },
  { name: 'white space in front of a value', fields: get('/', 'x', ' a'), gives: malformed },
  { name: 'white space behind a value', fields: get('/', 'x', 'a\t'), gives: malformed },
  { name: 'CRLF in a name', fields: get('/', 'x: y\r\nz', 'a'), gives: malformed },
  { name: 'a colon in a name', fields: get('/', 'x:y', 'a'), gives: malformed },
  { name: 'a space in a name', fields: get('/', 'x y', 'a'), gives: malformed },
  { name: 'an empty name', fields: get('/', '', 'a'), gives: malformed },
  { name: 'a name beyond ASCII', fields: get('/', 'x\xe9', 'a'), gives: malformed },
  { name: 'an upper-case name', fields: get('/', 'X-A', 'a'), gives: malformed },
  { name: 'CRLF in a trailer', fields: post('/'), body: 'abc', trailers: ['x', 'a\r\n\r\nGET / HTTP/1.1'], gives: malformed },
  { name: 'CRLF in :path', fields: get('/ HTTP/1.1\r\nx: y\r\n\r\n'), gives: malformed },
  { name: 'a space in :path', fields: get('/a b'), gives: malformed },
  { name: ':path beyond ASCII', fields: get('/\xe9'), gives: malformed },
  { name: ':path without a slash', fields: get('admin'), gives: malformed },
  { name: ':path that is a URL', fields: get('http://other.test/'), gives: malformed },
  { name: ':path that is empty', fields: get(''), gives: malformed },
  { name: ':path of "*" for GET', fields: get('*'), gives: malformed },
  { name: 'a fragment in :path', fields: get('/a#b'), gives: 400 },
  { name: 'CRLF in :method', fields: pseudo(':method', 'GET / HTTP/1.1\r\nx: y', ':scheme', 'http', ':authority', 'a', ':path', '/'), gives: malformed },
  { name: 'a space in :method', fields: pseudo(':method', 'GET /admin', ':scheme', 'http', ':authority', 'a', ':path', '/'), gives: malformed },
  { name: 'no :method', fields: pseudo(':scheme', 'http', ':authority', 'a', ':path', '/'), gives: malformed },
  { name: 'no :scheme', fields: pseudo(':method', 'GET', ':authority', 'a', ':path', '/'), gives: malformed },
  { name: 'no :path', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', 'a'), gives: malformed },
  { name: 'two :path', fields: get('/', ':path', '/admin'), gives: malformed },
  { name: 'two :method', fields: get('/', ':method', 'POST'), gives: malformed },
  { name: 'two :authority', fields: get('/', ':authority', 'other.test'), gives: malformed },
  { name: 'an unknown pseudo-field', fields: get('/', ':version', '1.1'), gives: malformed },
  { name: ':status in a request', fields: get('/', ':status', '200'), gives: malformed },
  { name: 'a pseudo-field behind an ordinary one', fields: pseudo(':method', 'GET', ':scheme', 'http', ':path', '/', 'x', 'y', ':authority', 'a'), gives: malformed },
  { name: ':scheme of something else', fields: pseudo(':method', 'GET', ':scheme', 'ftp', ':authority', 'a', ':path', '/'), gives: 400 },
  { name: ':scheme that is a URL', fields: pseudo(':method', 'GET', ':scheme', 'http://a/?', ':authority', 'a', ':path', '/'), gives: 400 },
  { name: 'no host at all', fields: pseudo(':method', 'GET', ':scheme', 'http', ':path', '/'), gives: 400 },
  { name: 'an empty :authority', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', '', ':path', '/'), gives: 400 },
  { name: 'user information in :authority', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', 'shop.test@evil.test', ':path', '/'), gives: 400 },
  { name: 'CRLF in :authority', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', 'a\r\nx: y', ':path', '/'), gives: malformed },
  { name: 'a path in :authority', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', 'a/b', ':path', '/'), gives: 400 },
  { name: 'a port above 65535', fields: pseudo(':method', 'GET', ':scheme', 'http', ':authority', 'a:70000', ':path', '/'), gives: 400 },
  { name: 'Host of another host', fields: get('/', 'host', 'other.test'), gives: 400 },
  { name: 'two Hosts', fields: pseudo(':method', 'GET', ':scheme', 'http', ':path', '/', 'host', 'a', 'host', 'b'), gives: 400 },
  { name: 'CONNECT', fields: pseudo(':method', 'CONNECT', ':authority', 'internal:22'), gives: 501 },
  { name: 'CONNECT with a path', fields: pseudo(':method', 'CONNECT', ':scheme', 'http', ':authority', 'internal:22', ':path', '/'), gives: malformed },
  { name: ':protocol without CONNECT', fields: get('/', ':protocol', 'websocket'), gives: malformed },
  { name: 'an unknown :protocol', fields: pseudo(':method', 'CONNECT', ':protocol', 'connect-udp', ':scheme', 'http', ':authority', 'a', ':path', '/'), gives: 501 },
  { name: 'an expectation nobody knows', fields: post('/', 'expect', '200-ok'), body: 'abc', gives: 417 },
]

async function heard (t: TestContext): Promise<{ port: number, text: () => string }> {
  let text = ''
  const upstream = await rawUpstream(t, ({ socket, received }) => {
    text = received
    const ends = received.match(/\r\n\r\n/g)?.length ?? 0
    if (ends > 0 && (!/chunked/i.test(received) || received.endsWith('0\r\n\r\n') || /0\r\n(?:.+\r\n)*\r\n$/.test(received))) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { priorKnowledge: true } })
  return { port, text: () => text }
}

function sendRequest (client: H2Client, { fields, body, trailers }: Omit<Vector, 'name' | 'gives'>): void {
  client.send(headers(1, fields, body === undefined), ...body === undefined ? [] : [data(1, body, trailers === undefined)], ...trailers === undefined ? [] : [headers(1, trailers)])
}

test('what HTTP/1.1 would read in another way does not leave the listener', async (t) => {
  const { port, text } = await heard(t)
  for (const vector of vectors) {
    await t.test(vector.name, async (t) => {
      const client = await h2Client(t, port)
      const before = text()
      sendRequest(client, vector)
      if (typeof vector.gives === 'number') assert.equal(await client.status(1), vector.gives)
      else assert.equal(`RST ${await client.reset(1)}`, vector.gives)
      // The connection lives, and the next request is the next one for the upstream.
      client.send(headers(3, get('/next')))
      assert.equal(await client.status(3), 200)
      if (vector.gives !== 200) assert.equal(text().slice(before.length).match(/^[A-Z]+ /gm)?.length ?? 1, 1)
      assert.doesNotMatch(text(), /admin/)
    })
  }
})

const forwarded = /X-Forwarded-For: [^]*?X-Request-Id: \S+\r\n/

async function bytesFor (t: TestContext, request: Omit<Vector, 'name' | 'gives'>): Promise<string> {
  const { port, text } = await heard(t)
  const client = await h2Client(t, port)
  sendRequest(client, request)
  assert.equal(await client.status(1), 200)
  return text().replace(forwarded, '')
}

test('a plain request becomes these bytes', async (t) => {
  assert.equal(await bytesFor(t, { fields: get('/a?b=c', 'x-one', '1', 'x-two', 'zwei \xe4') }),
    'GET /a?b=c HTTP/1.1\r\nhost: shop.test\r\nx-one: 1\r\nx-two: zwei \xe4\r\n\r\n')
})

test(':scheme of the other kind says nothing that anybody believes', async (t) => {
  const { port, text } = await heard(t)
  const client = await h2Client(t, port)
  client.send(headers(1, pseudo(':method', 'GET', ':scheme', 'https', ':authority', 'shop.test', ':path', '/')))
  assert.equal(await client.status(1), 200)
  assert.match(text(), /X-Forwarded-Proto: http\r\n/)
})

test('Host without :authority is the host', async (t) => {
  assert.equal(await bytesFor(t, { fields: [':method', 'GET', ':path', '/', ':scheme', 'http', 'x', 'y', 'host', 'other.test:80'] }),
    'GET / HTTP/1.1\r\nx: y\r\nhost: other.test:80\r\n\r\n')
})

test('Host and :authority that agree are one', async (t) => {
  assert.equal(await bytesFor(t, { fields: get('/', 'host', 'Shop.test') }), 'GET / HTTP/1.1\r\nhost: shop.test\r\n\r\n')
})

test('the crumbs of a cookie are one field', async (t) => {
  assert.equal(await bytesFor(t, { fields: get('/', 'cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'cookie', 'c=3') }),
    'GET / HTTP/1.1\r\nhost: shop.test\r\ncookie: a=1; b=2; c=3\r\nx: y\r\n\r\n')
})

test('a body without a length is chunked, with the trailers that may be there', async (t) => {
  const text = await bytesFor(t, { fields: post('/'), body: smuggled, trailers: ['x-t', '1', 'cookie', 'a', 'authorization', 'x'] })
  assert.equal(text, `POST / HTTP/1.1\r\nhost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\nx-t: 1\r\n\r\n`)
})

test('a body with a length keeps it', async (t) => {
  assert.equal(await bytesFor(t, { fields: post('/', 'content-length', '3'), body: 'abc' }), 'POST / HTTP/1.1\r\nhost: shop.test\r\nContent-Length: 3\r\n\r\nabc')
})

test('OPTIONS may ask about the server as a whole', async (t) => {
  assert.equal(await bytesFor(t, { fields: [':method', 'OPTIONS', ':scheme', 'http', ':authority', 'shop.test', ':path', '*'] }), 'OPTIONS * HTTP/1.1\r\nhost: shop.test\r\n\r\n')
})
