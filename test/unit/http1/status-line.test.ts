import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Malformed } from '../../../proxy/http1/fields.ts'
import { mayBeStatusLine, readStatusLine } from '../../../proxy/http1/status-line.ts'

test('version, status and where it ends are read; the reason may be anything, or missing', () => {
  for (const [line, version, status] of [
    ['HTTP/1.1 200 OK', '1.1', 200], ['HTTP/1.1 200 ', '1.1', 200], ['HTTP/1.1 200', '1.1', 200], ['HTTP/1.0 404 Not \t Found', '1.0', 404], ['HTTP/1.1 999 \xe9\xff', '1.1', 999],
    ['HTTP/1.1 100 Continue', '1.1', 100],
  ] as const) {
    assert.deepEqual(readStatusLine(`${line}\r\n\r\n`, 0), { version, status, end: line.length + 2 }, line)
    assert.deepEqual(readStatusLine(`xx${line}\r\nA: b\r\n`, 2), { version, status, end: line.length + 4 }, line)
  }
})

test('anything else is refused, and says why', () => {
  for (const [line, why] of [
    ['', /begin/], ['HTTP/1.1', /begin/], ['HTTP/2 200 OK\r\n', /begin/], ['HTTP/1.2 200 OK\r\n', /begin/], ['http/1.1 200 OK\r\n', /begin/], ['HTTP/1.1\t200 OK\r\n', /begin/],
    [' HTTP/1.1 200 OK\r\n', /begin/], ['\r\nHTTP/1.1 200 OK\r\n', /begin/], ['ICY 200 OK\r\n', /begin/], ['HTTP/1.10 200 OK\r\n', /begin/],
    ['HTTP/1.1  200 OK\r\n', /three digits/], ['HTTP/1.1 20 OK\r\n', /three digits/], ['HTTP/1.1 2000 OK\r\n', /three digits/], ['HTTP/1.1 2x0 OK\r\n', /three digits/],
    ['HTTP/1.1 +20 OK\r\n', /three digits/], ['HTTP/1.1 200OK\r\n', /three digits/], ['HTTP/1.1 ', /three digits/], ['HTTP/1.1 200\t\r\n', /three digits/],
    ['HTTP/1.1 099 No\r\n', /below 100/], ['HTTP/1.1 000\r\n', /below 100/],
    ['HTTP/1.1 200 OK\n', /bare LF/], ['HTTP/1.1 200\n', /bare LF/], ['HTTP/1.1 200 O\rK\r\n', /bare CR/], ['HTTP/1.1 200\rX', /bare CR/],
    ['HTTP/1.1 200 a\0b\r\n', /control character/], ['HTTP/1.1 200 a\x7fb\r\n', /control character/], ['HTTP/1.1 200 OK', /control character/],
  ] as const) {
    const read = readStatusLine(line, 0)
    assert.ok(read instanceof Malformed, JSON.stringify(line))
    assert.match(read.detail, why, JSON.stringify(line))
  }
})

test('another protocol is told from an answer that is not whole yet', () => {
  for (const text of ['H', 'HTTP/', 'HTTP/1.', 'HTTP/1.1 20']) assert.ok(mayBeStatusLine(text), text)
  for (const text of ['SSH-2.0', '220 smtp', 'HTTP/2', 'h', '\r\n', '\x15\x03\x01']) assert.ok(!mayBeStatusLine(text), text)
})
