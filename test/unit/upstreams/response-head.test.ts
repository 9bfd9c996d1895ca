import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readResponseHead } from '../../../proxy/upstreams/response-head.ts'

const read = (...fields: string[]): ReturnType<typeof readResponseHead> => readResponseHead(fields.map((field) => Buffer.from(field, 'latin1')))

const headOf = (...fields: string[]): { fields: readonly string[], length: number | undefined } => {
  const head = read(...fields)
  assert.ok(typeof head === 'object', String(head))
  return { fields: head.headers.raw(), length: head.length }
}

test('order, duplicates, spelling and bytes above ASCII are kept', () => {
  const fields = ['X-B', '1', 'x-a', '\xe9\xff', 'Set-Cookie', 'a', 'set-cookie', 'b']
  assert.deepEqual(headOf(...fields).fields, fields)
})

test('framing is read and taken out', () => {
  assert.deepEqual(headOf('Content-length', '12', 'A', 'b'), { fields: ['A', 'b'], length: 12 })
  assert.deepEqual(headOf('Transfer-Encoding', 'Chunked'), { fields: [], length: undefined })
})

test('fields of this hop are dropped, those that Connection names included', () => {
  assert.deepEqual(headOf('Connection', 'close, X-Hop', 'X-Hop', '1', 'Keep-Alive', 'timeout=5', 'Upgrade', 'h2c', 'X-End', '2').fields, ['X-End', '2'])
})

test('white space behind a value is not part of it', () => {
  assert.deepEqual(headOf('A', 'b \t ').fields, ['A', 'b'])
})

test('heads that cannot be passed on say why', () => {
  assert.match(String(read('A', 'b\0')), /control character in A/)
  assert.match(String(read('Content-Length', '1x')), /Content-Length/)
  assert.match(String(read('Transfer-Encoding', 'gzip, chunked')), /Transfer-Encoding/)
})
