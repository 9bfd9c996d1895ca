import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Received } from '../../../proxy/listeners/received.ts'
import { processorMs } from '../../support/processor-time.ts'

const head = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

function inPieces (text: string, length: number, most = 8192): ReturnType<Received['takeHead']> {
  const received = new Received(most)
  for (let at = 0; at < text.length; at += length) {
    received.add(Buffer.from(text.slice(at, at + length), 'latin1'))
    const taken = received.takeHead()
    if (taken !== undefined) return taken
  }
  return undefined
}

describe('heads in what was received', () => {
  test('are found in pieces of any length, one empty line before them forgiven', () => {
    for (let length = 1; length <= head.length + 2; length++) {
      assert.equal(inPieces(head, length), head)
      assert.equal(inPieces(`\r\n${head}`, length), head, `an empty line, in pieces of ${length}`)
    }
  })

  test('are taken one after the other, and what is left is what was not taken', () => {
    const received = new Received(8192)
    for (const piece of [head.slice(0, 5), head.slice(5) + head + 'bo', 'dy']) received.add(Buffer.from(piece))
    assert.deepEqual([received.takeHead(), received.takeHead()], [head, head])
    assert.equal(received.takeAll().toString(), 'body')
    assert.deepEqual([received.length, received.takeHead()], [0, undefined])
  })

  test('that end their lines wrongly are refused before their end, wherever they are cut', () => {
    for (const text of ['GET / HTTP/1.1\nHost: a', 'GET / HTTP/1.1\r\nHost: a\rX', '\n', '\r\r', '\r\n\r\nGET', ' GET', '\x16\x03\x01']) {
      for (let length = 1; length <= text.length; length++) {
        const taken = inPieces(text, length)
        assert.ok(typeof taken === 'object' && taken.code === 'BAD_REQUEST', `${JSON.stringify(text)} in pieces of ${length}: ${JSON.stringify(taken)}`)
      }
    }
    for (const text of ['GET / HTTP/1.1\r\nHost: a\r\nX: y\r', '\r', '\r\n', 'G']) for (let length = 1; length <= text.length; length++) assert.equal(inPieces(text, length), undefined)
  })

  test('that are too large are told from request lines that are', () => {
    const codeOf = (text: string, most: number): unknown => (inPieces(text, 7, most) as { code: unknown }).code
    assert.equal(inPieces(head, 7, head.length), head)
    assert.equal(codeOf(head, head.length - 1), 'HEAD_TOO_LARGE')
    assert.equal(codeOf(head, 16), 'HEAD_TOO_LARGE')
    assert.equal(codeOf(head, 15), 'URI_TOO_LONG')
    assert.equal(codeOf('GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 20), 'URI_TOO_LONG')
  })

  test('cost time in proportion to their length, in however many pieces they come', () => {
    const text = `GET / HTTP/1.1\r\n${`X: ${'y'.repeat(1000)}\r\n`.repeat(4_000)}\r\n`
    const ms = processorMs(() => assert.equal(inPieces(text, 200, 16 * 1024 * 1024), text))
    assert.ok(ms < 1_500, `${ms} ms`)
  })
})
