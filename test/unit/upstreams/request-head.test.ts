import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../../proxy/pipeline/body.ts'
import type { Exchange } from '../../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../../proxy/pipeline/headers.ts'
import { requestHead } from '../../../proxy/upstreams/request-head.ts'

interface Given {
  method?: string
  upstreamPath?: string
  query?: string
  fields?: string[]
  requestBody?: Exchange['requestBody']
}

function head ({ method = 'GET', upstreamPath = '/', query = '', fields = ['Host', 'a'], requestBody }: Given): string {
  const request = { method, upstreamPath, query, headers: new HeaderList(fields) }
  return requestHead({ request, requestBody, target: '10.0.0.1:80' } as unknown as Exchange)
}

test('fields go out as they are, without those of this hop', () => {
  const fields = ['X-B', '1', 'HOST', 'a', 'x-b', '\xe9', 'Expect', '100-continue', 'connection', 'close', 'Upgrade', 'x', 'Content-Length', '7', 'Transfer-Encoding', 'x', 'Keep-Alive', 'y']
  assert.equal(head({ upstreamPath: '/p', query: 'a=b', fields }), 'GET /p?a=b HTTP/1.1\r\nX-B: 1\r\nHOST: a\r\nx-b: \xe9\r\n\r\n')
})

test('a request without Host gets the target for one', () => {
  assert.equal(head({ fields: ['A', 'b'] }), 'GET / HTTP/1.1\r\nHost: 10.0.0.1:80\r\nA: b\r\n\r\n')
})

test('the framing is that of the body', () => {
  const body = bodyOf(Buffer.from('abc'))
  assert.match(head({ requestBody: body }), /\r\nContent-Length: 3\r\n\r\n$/)
  assert.match(head({ requestBody: { ...body, length: undefined } }), /\r\nTransfer-Encoding: chunked\r\n\r\n$/)
  for (const method of ['POST', 'PUT', 'PATCH']) assert.match(head({ method }), /\r\nContent-Length: 0\r\n\r\n$/)
  for (const method of ['GET', 'HEAD', 'DELETE', 'OPTIONS']) assert.doesNotMatch(head({ method }), /Content-Length/)
})

test('nothing that a filter or an agent wrote becomes another field or another request', () => {
  const evil: Given[] = [
    { fields: ['Host', 'a', 'A', 'b\r\nC: d'] }, { fields: ['Host', 'a', 'A', 'b\nC: d'] }, { fields: ['Host', 'a', 'A', 'b\0'] }, { fields: ['Host', 'a', 'A: b\r\nC', 'd'] },
    { fields: ['Host', 'a', 'A B', 'c'] }, { fields: ['Host', 'a', '', 'c'] }, { fields: ['Host', 'a', 'A', '\u010a'] }, { fields: ['Host', 'a', 'hOST', 'b'] },
    { method: 'GET / HTTP/1.1\r\nX:' }, { method: '' }, { upstreamPath: '/a b' }, { upstreamPath: '/\r\n' }, { upstreamPath: '/\u0120' }, { query: 'a\tb' }, { upstreamPath: '/\xe9' },
  ]
  for (const given of evil) assert.throws(() => head(given), { code: 'INTERNAL' }, JSON.stringify(given))
})
