import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ChunkedDecoder, LengthDecoder } from '../../../proxy/http1/body-decoder.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { RequestBody } from '../../../proxy/listeners/request-body.ts'

const limits = { maxTrailerBytes: 8192, maxTrailerFields: 100 }

test('thousands of small chunks in one packet become few pieces, larger ones are not copied', () => {
  const small = 'ab'.repeat(5_000)
  const large = 'L'.repeat(100)
  const bytes = Buffer.from([...small].map((char) => `1\r\n${char}\r\n`).join('') + `64\r\n${large}\r\n1\r\nz\r\n0\r\n\r\n`)
  const out: Buffer[] = []
  assert.equal(new ChunkedDecoder(limits).decode(bytes, 0, out), bytes.length)
  assert.deepEqual(out.map(String), [small, large, 'z'])
  assert.equal(out[1]!.buffer, bytes.buffer)
})

test('a body in single octets that nobody reads yet is kept in few pieces, in order', async () => {
  const length = 5_000
  const body = new RequestBody({ decoder: new LengthDecoder(length), idleMs: 1_000, beforeFirstRead: undefined, flow: () => {} })
  for (let i = 0; i < length; i++) body.push(Buffer.from([i % 251]))
  const pieces: Buffer[] = []
  for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) pieces.push(chunk)
  assert.ok(pieces.length < 300, `${pieces.length} pieces`)
  assert.deepEqual(Buffer.concat(pieces), Buffer.from(Array.from({ length }, (_, i) => i % 251)))
})

test('small chunks between large ones hold no more memory than came with them', () => {
  const pair = `1\r\na\r\n40\r\n${'L'.repeat(64)}\r\n`
  const bytes = Buffer.from(pair.repeat(800) + '0\r\n\r\n')
  const out: Buffer[] = []
  assert.equal(new ChunkedDecoder(limits).decode(bytes, 0, out), bytes.length)
  assert.equal(Buffer.concat(out).length, 65 * 800)
  const held = new Set(out.map(({ buffer }) => buffer))
  assert.ok([...held].reduce((sum, { byteLength }) => sum + byteLength, 0) <= bytes.buffer.byteLength + bytes.length, `${held.size} pieces of memory`)
})

test('a body that broke before anybody read it is waited for by nobody', () => {
  const body = new RequestBody({ decoder: new ChunkedDecoder(limits), idleMs: 1_000, beforeFirstRead: () => {}, flow: () => {} })
  assert.equal(body.expectsContinue, true)
  body.push(Buffer.from('1\r\na\r\n'))
  assert.equal(body.expectsContinue, false)
  body.fail(new Fault('BAD_REQUEST'))
  assert.equal(body.expectsContinue, false)
})
