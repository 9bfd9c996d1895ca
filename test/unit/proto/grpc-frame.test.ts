import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { BadFrame, encode, encodeFrame, frame, FrameDecoder, writeBodyChunk } from '../../../proto/codec/index.ts'

const messages = [0, 1, 4, 5, 6, 300, 70_000].map((size) => Buffer.alloc(size, size % 256))
const stream = Buffer.concat(messages.map(frame))

test('messages come out the same however the stream is cut', () => {
  for (const step of [1, 2, 3, 4, 5, 6, 7, 64, 1021, 65_536, stream.length]) {
    const decoder = new FrameDecoder(70_000)
    const found: Buffer[] = []
    for (let at = 0; at < stream.length; at += step) found.push(...decoder.push(stream.subarray(at, at + step)))
    assert.deepEqual(found, messages, `steps of ${step}`)
    assert.ok(decoder.clean)
  }
})

test('a stream that ends inside a message is not clean', () => {
  const decoder = new FrameDecoder(100)
  assert.deepEqual(decoder.push(frame(Buffer.from('abc')).subarray(0, 7)), [])
  assert.equal(decoder.clean, false)
})

test('a message over the limit is refused by its head alone', () => {
  const decoder = new FrameDecoder(100)
  assert.throws(() => decoder.push(Buffer.from([0, 0, 0, 0, 101])), BadFrame)
  assert.throws(() => new FrameDecoder(100).push(Buffer.from([0, 255, 255, 255, 255])), BadFrame)
})

test('compressed messages and unknown flags are refused', () => {
  assert.throws(() => new FrameDecoder(100).push(Buffer.from([1, 0, 0, 0, 1, 0])), /compressed/)
  assert.throws(() => new FrameDecoder(100).push(Buffer.from('HTTP/1.1')), /flag 72/)
})

test('encodeFrame gives the frame of what encode gives', () => {
  for (const size of [0, 10, 200, 100_000]) {
    const chunk = { data: Buffer.alloc(size, 7), end: true, truncated: false }
    assert.deepEqual(encodeFrame(writeBodyChunk, chunk), frame(encode(writeBodyChunk, chunk)))
  }
})
