import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readRequestHead, type ReceivedHead } from '../../../proxy/listeners/request-head.ts'

const read = (given: Partial<ReceivedHead>): ReturnType<typeof readRequestHead> => readRequestHead({
  method: 'GET', target: '/', version: '1.1', fields: ['Host', 'a.test'], scheme: 'http', maxFields: 100, ...given,
})

const accepted = (given: Partial<ReceivedHead>): Extract<ReturnType<typeof read>, { head: unknown }> => {
  const result = read(given)
  assert.ok('head' in result, JSON.stringify(result))
  return result
}

test('splits the target and keeps it as received', () => {
  const { head } = accepted({ target: '/a%2Fb/../c?x=1&y=?2' })
  assert.deepEqual([head.rawPath, head.query, head.authority], ['/a%2Fb/../c', 'x=1&y=?2', 'a.test'])
})

test('an absolute target decides about the host, and the next server is told the same', () => {
  const { head } = accepted({ target: 'http://B.test:81?q', fields: ['Accept', '*/*', 'host', 'a.test'] })
  assert.deepEqual([head.authority, head.rawPath, head.query, head.headers.get('host')], ['b.test:81', '/', 'q', 'B.test:81'])
  assert.equal(accepted({ target: 'http://b.test/', version: '1.0', fields: [] }).head.headers.get('host'), 'b.test')
})

test('the asterisk form belongs to OPTIONS', () => {
  assert.equal(accepted({ method: 'OPTIONS', target: '*' }).head.rawPath, '*')
  assert.ok('code' in read({ target: '*' }))
  const { head } = accepted({ method: 'OPTIONS', target: 'http://b.test' })
  assert.deepEqual([head.rawPath, head.authority], ['*', 'b.test'], 'as a proxy is asked')
  assert.equal(accepted({ method: 'OPTIONS', target: 'http://b.test/' }).head.rawPath, '/')
})

test('framing fields are read and taken out, order and spelling of the others stay', () => {
  const { head, framing } = accepted({ fields: ['X-B', '1', 'Host', 'a', 'content-LENGTH', '12', 'x-b', '2', 'Expect', '100-continue'] })
  assert.deepEqual(framing, { hasBody: true, length: 12 })
  assert.deepEqual(head.headers.raw(), ['X-B', '1', 'Host', 'a', 'x-b', '2'])
  assert.deepEqual(accepted({ fields: ['Host', 'a', 'Transfer-Encoding', 'Chunked'] }).framing, { hasBody: true, length: undefined })
  assert.deepEqual(accepted({ fields: ['Host', 'a', 'Content-Length', '0'] }).framing, { hasBody: false, length: 0 })
})

const refused: ReadonlyArray<[why: string, given: Partial<ReceivedHead>]> = [
  ['no Host in HTTP/1.1', { fields: [] }],
  ['two Host fields', { fields: ['Host', 'a', 'host', 'a'] }],
  ['an empty Host', { fields: ['Host', ''] }],
  ['a list in Host', { fields: ['Host', 'a, b'] }],
  ['user information in Host', { fields: ['Host', 'user@a'] }],
  ['a path in Host', { fields: ['Host', 'a/b'] }],
  ['a port above all ports', { fields: ['Host', 'a:65536'] }],
  ['an address that is none', { fields: ['Host', '[::1::2]'] }],
  ['an IPv4 address in brackets', { fields: ['Host', '[127.0.0.1]'] }],
  ['a length under a name that environments do not tell apart', { fields: ['Host', 'a', 'Content_Length', '1'] }],
  ['a coding under a name that environments do not tell apart', { fields: ['Host', 'a', 'Transfer_encoding', 'chunked'] }],
  ['a port that is no number', { fields: ['Host', 'a:b'] }],
  ['user information in the target', { target: 'http://user@a/' }],
  ['a target without host', { target: 'http:///x' }],
  ['another scheme', { target: 'https://a/' }],
  ['an unknown scheme', { target: 'ftp://a/' }],
  ['the authority form', { target: 'a.test:80' }],
  ['a fragment', { target: '/a#b' }],
  ['both framings', { fields: ['Host', 'a', 'Content-Length', '1', 'Transfer-Encoding', 'chunked'] }],
  ['two lengths', { fields: ['Host', 'a', 'Content-Length', '1', 'Content-Length', '1'] }],
  ['a list of lengths', { fields: ['Host', 'a', 'Content-Length', '1, 1'] }],
  ['a signed length', { fields: ['Host', 'a', 'Content-Length', '+1'] }],
  ['an absurd length', { fields: ['Host', 'a', 'Content-Length', '99999999999999999999'] }],
  ['two transfer encodings', { fields: ['Host', 'a', 'Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked'] }],
  ['a coding beside chunked', { fields: ['Host', 'a', 'Transfer-Encoding', 'gzip, chunked'] }],
  ['a coding that is not chunked', { fields: ['Host', 'a', 'Transfer-Encoding', 'identity'] }],
  ['a disguised chunked', { fields: ['Host', 'a', 'Transfer-Encoding', 'xchunked'] }],
  ['Transfer-Encoding in HTTP/1.0', { version: '1.0', fields: ['Host', 'a', 'Transfer-Encoding', 'chunked'] }],
  ['HTTP/2 on a line', { version: '2.0' }],
]

for (const [why, given] of refused) {
  test(`refuses ${why}`, () => {
    const result = read(given)
    assert.equal('code' in result && result.code, 'BAD_REQUEST')
  })
}

test('counts field lines before anything else', () => {
  const result = read({ fields: Array.from({ length: 202 }, () => 'x') })
  assert.equal('code' in result && result.code, 'HEAD_TOO_LARGE')
})

test('hosts are names, addresses and ports', () => {
  for (const host of ['a', 'A.b-c_d.e', '127.0.0.1:8080', '[::1]', '[2001:db8::1]:65535', 'a:0']) assert.equal(accepted({ fields: ['Host', host] }).head.authority, host.toLowerCase())
})

test('words of Connection are between commas, spaces and tabs: other white space is a part of them', () => {
  const persistent = (connection: string, version = '1.1'): boolean => accepted({ version, fields: ['Host', 'a', 'Connection', connection] }).persistent
  for (const close of ['close', 'x,close', ' \t close \t', 'a , CLOSE,', ',,close']) assert.equal(persistent(close), false, close)
  for (const other of ['\xa0close', 'close\xa0', '\xa0keep-alive', 'keep-alive;close', 'closed']) {
    assert.equal(persistent(other), true, other)
    assert.equal(persistent(other, '1.0'), false, other)
  }
})
