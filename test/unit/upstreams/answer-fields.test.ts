import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readAnswerFields } from '../../../proxy/upstreams/answer-fields.ts'

test('the head of an answer is its status, its length and the rest', () => {
  const head = readAnswerFields([':status', '404', 'x-a', '1', 'content-length', '12', 'set-cookie', 'a', 'set-cookie', 'b', 'proxy-authenticate', 'x'])
  assert.ok(typeof head === 'object')
  assert.deepEqual([head.status, head.length, head.headers.raw()], [404, 12, ['x-a', '1', 'set-cookie', 'a', 'set-cookie', 'b']])
})

test('what is no head of an answer says why', () => {
  const wrong: Array<[string[], RegExp]> = [
    [[], /:status/], [['x-a', 'b', ':status', '200'], /:status/], [[':status', '20'], /:status/], [[':status', '2000'], /:status/], [[':status', '0xc'], /:status/],
    [[':status', '099'], /:status/], [[':status', '200', ':status', '200'], /pseudo/], [[':status', '200', 'x-a', 'b', ':path', '/'], /pseudo/],
    [[':status', '200', 'content-length', '1', 'content-length', '1'], /more than one/], [[':status', '200', 'content-length', '-1'], /content-length/],
    [[':status', '200', 'content-length', '1, 1'], /content-length/], [[':status', '200', 'content-length', ''], /content-length/],
  ]
  for (const [fields, why] of wrong) assert.match(String(readAnswerFields(fields)), why)
})
