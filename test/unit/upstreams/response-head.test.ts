import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readResponseHead, type ResponseHead } from '../../../proxy/upstreams/response-head.ts'

const read = (...fields: string[]): ReturnType<typeof readResponseHead> => readResponseHead(fields.slice(), '1.1')

function whole (...fields: string[]): ResponseHead {
  const head = read(...fields)
  assert.ok(typeof head === 'object', String(head))
  return head
}

function headOf (...fields: string[]): { fields: readonly string[], length: number | undefined, chunked: boolean } {
  const { headers, length, chunked } = whole(...fields)
  return { fields: headers.raw(), length, chunked }
}

test('order, duplicates, spelling and bytes above ASCII are kept', () => {
  const fields = ['X-B', '1', 'x-a', '\xe9\xff', 'Set-Cookie', 'a', 'set-cookie', 'b']
  assert.deepEqual(headOf(...fields).fields, fields)
})

test('framing is read and taken out', () => {
  assert.deepEqual(headOf('Content-length', '12', 'A', 'b'), { fields: ['A', 'b'], length: 12, chunked: false })
  assert.deepEqual(headOf('Transfer-Encoding', 'Chunked'), { fields: [], length: undefined, chunked: true })
})

test('fields of this hop are dropped, those that Connection names included', () => {
  assert.deepEqual(headOf('Connection', 'close, X-Hop', 'X-Hop', '1', 'Keep-Alive', 'timeout=5', 'Upgrade', 'h2c', 'X-End', '2').fields, ['X-End', '2'])
})

test('a connection persists by its version and what Connection says', () => {
  assert.equal(whole().persistent, true)
  assert.equal(whole('Connection', 'Keep-Alive, Close').persistent, false)
  assert.equal(whole('Connection', 'x', 'connection', 'close').persistent, false)
  for (const [value, persistent] of [['keep-alive', true], ['x', false], ['close, keep-alive', false]] as const) {
    const head = readResponseHead(['Connection', value], '1.0')
    assert.equal(typeof head === 'object' && head.persistent, persistent)
  }
})

test('how long the target keeps an unused connection is read', () => {
  assert.equal(whole('Keep-Alive', 'timeout=5, max=100').keepAliveMs, 5_000)
  assert.equal(whole('Keep-Alive', 'max=9; timeout = 7').keepAliveMs, 7_000)
  assert.equal(whole('Keep-Alive', 'forever').keepAliveMs, undefined)
})

test('heads that cannot be passed on say why', () => {
  for (const length of ['1x', '+1', '-1', '', '1, 1', '0x1', '1 1', '9'.repeat(16)]) assert.match(String(read('Content-Length', length)), /Content-Length/)
  assert.match(String(read('Content-Length', '1', 'content-length', '1')), /more than one Content-Length/)
  for (const coding of ['gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', '']) assert.match(String(read('Transfer-Encoding', coding)), /Transfer-Encoding/)
  assert.match(String(read('Transfer-Encoding', 'chunked', 'Transfer-Encoding', 'chunked')), /more than one/)
  assert.match(String(read('Transfer-Encoding', 'chunked', 'Content-Length', '1')), /beside/)
  assert.match(String(readResponseHead(['Transfer-Encoding', 'chunked'], '1.0')), /HTTP\/1\.0/)
})
