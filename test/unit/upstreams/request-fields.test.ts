import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../../proxy/pipeline/body.ts'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { requestFields } from '../../../proxy/upstreams/request-fields.ts'

interface Given extends Partial<Pick<Exchange, 'requestBody' | 'upgrade' | 'takesTrailers'>> {
  method?: string
  upstreamPath?: string
  query?: string
  fields?: string[]
}

function fields ({ method = 'GET', upstreamPath = '/', query = '', fields = ['Host', 'a'], ...more }: Given): string[] {
  const request = { method, upstreamPath, query, headers: new HeaderList(fields) }
  return requestFields({ request, target: '10.0.0.1:80', ...more } as unknown as Exchange, 'https')
}

const rest = (given: Given): string[] => fields(given).slice(8)

test('the pseudo-fields come first; nothing of this hop and nothing about connections follows', () => {
  const given = ['X-B', '1', 'HOST', 'a', 'x-b', '\xe9', 'Expect', 'x', 'connection', 'close', 'Upgrade', 'x', 'Content-Length', '7', 'Transfer-Encoding', 'x', 'Keep-Alive', 'y', 'Proxy-Connection', 'z', 'te', 'gzip']
  assert.deepEqual(fields({ upstreamPath: '/p', query: 'a=b', fields: given }), [':method', 'GET', ':scheme', 'https', ':authority', 'a', ':path', '/p?a=b', 'x-b', '1', 'x-b', '\xe9'])
})

test('a request without Host, or with an empty one, means the target', () => {
  assert.equal(fields({ fields: [] })[5], '10.0.0.1:80')
  assert.equal(fields({ fields: ['Host', ''] })[5], '10.0.0.1:80')
})

test('white space around a value is taken off: in HTTP/2 it is a mistake', () => {
  assert.deepEqual(rest({ fields: ['Host', 'a', 'X-A', ' \tb c\t'] }), ['x-a', 'b c'])
})

test('the length is that of the body; trailers and an expectation are said when they are meant', () => {
  const body = bodyOf(Buffer.from('abc'))
  assert.deepEqual(rest({ method: 'POST', requestBody: body }), ['content-length', '3'])
  assert.deepEqual(rest({ method: 'POST', requestBody: { ...body, length: undefined, expectsContinue: true }, takesTrailers: true }), ['te', 'trailers', 'expect', '100-continue'])
  for (const method of ['POST', 'PUT', 'PATCH']) assert.deepEqual(rest({ method }), ['content-length', '0'])
  for (const method of ['GET', 'HEAD', 'DELETE']) assert.deepEqual(rest({ method }), [])
})

test('an upgrade is an extended CONNECT without the key of HTTP/1.1', () => {
  const given = ['Host', 'a', 'Sec-WebSocket-Key', 'k', 'Sec-WebSocket-Version', '13', 'Sec-WebSocket-Protocol', 'chat']
  assert.deepEqual(fields({ fields: given, upgrade: { protocol: 'websocket', input: bodyOf(Buffer.alloc(0)) } }), [
    ':method', 'CONNECT', ':scheme', 'https', ':authority', 'a', ':path', '/', ':protocol', 'websocket', 'sec-websocket-version', '13', 'sec-websocket-protocol', 'chat',
  ])
})

test('nothing that a filter or an agent wrote becomes another field or another request', () => {
  const evil: Given[] = [
    { fields: ['Host', 'a', 'A', 'b\r\nC: d'] }, { fields: ['Host', 'a', 'A', 'b\0'] }, { fields: ['Host', 'a', 'A b', 'c'] }, { fields: ['Host', 'a', '', 'c'] },
    { fields: ['Host', 'a', ':path', '/evil'] }, { fields: ['Host', 'a', 'host', 'b'] }, { fields: ['Host', 'a\r\nb: c'] }, { method: 'GET /' }, { method: '' },
    { upstreamPath: '/a b' }, { query: 'a\n' }, { upstreamPath: '/\xe9' }, { fields: ['Host', 'a', 'A', '\u0100'] },
  ]
  for (const given of evil) assert.throws(() => fields(given), { code: 'INTERNAL' }, JSON.stringify(given))
})
