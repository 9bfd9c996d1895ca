// Reading costs what it reads: no head, chunk, extension or trailer can be cut, repeated or made so long that twice of it costs four times as much. Counted are
// the octets that are copied, turned into text or searched, not the time. CVE-2023-26115 and others (regular expressions), CVE-2023-44487's relatives in HTTP/1.1.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ChunkedDecoder } from '../../proxy/http1/body-decoder.ts'
import { Malformed, readFields } from '../../proxy/http1/fields.ts'
import { readRequestLine } from '../../proxy/http1/request-line.ts'
import { Received } from '../../proxy/listeners/received.ts'
import { readRequestHead } from '../../proxy/listeners/request-head.ts'
import { AnswerReader } from '../../proxy/upstreams/answer-reader.ts'

/** Octets that pass through the buffers and texts that reading uses, while `act` runs. */
function octetsMoved (act: () => void): number {
  let moved = 0
  const undo: Array<() => void> = []
  const count = <T extends object, K extends keyof T>(owner: T, name: K, of: (self: never, args: never[], result: never) => number): void => {
    const original = owner[name] as (...args: unknown[]) => unknown
    undo.push(() => { owner[name] = original as T[K] })
    owner[name] = function (this: never, ...args: unknown[]) {
      const result = original.apply(this, args)
      moved += of(this, args as never[], result as never)
      return result
    } as T[K]
  }
  const searched = ({ length }: Buffer | string, [, from = 0]: number[], found: number): number => found === -1 ? Math.max(0, length - from) : found - from
  const made = (_self: unknown, _args: unknown, { length }: { length: number }): number => length
  count(Buffer.prototype, 'toString', made)
  count(Buffer.prototype, 'copy', (_self: never, _args: never[], copied: number) => copied)
  count(Buffer.prototype, 'indexOf', searched)
  count(Buffer, 'concat', made)
  count(String.prototype, 'indexOf', searched)
  count(String.prototype, 'slice', made)
  count(RegExp.prototype, 'test', (_self: never, [text]: string[]) => text!.length)
  try {
    act()
  } finally {
    for (const put of undo) put()
  }
  return moved
}

/** What it costs for one, two and four times as much, in single octets. */
function assertLinear (read: (times: number) => void): void {
  const [one, two, four] = [1, 2, 4].map((times) => octetsMoved(() => read(times))) as [number, number, number]
  assert.ok(two < one * 2.5 && four < two * 2.5, `${one}, ${two}, ${four} octets for one, two and four times as much`)
}

function eachOctet (bytes: Buffer, take: (octet: Buffer) => void): void {
  for (let at = 0; at < bytes.length; at++) take(bytes.subarray(at, at + 1))
}

function decoded (body: string): void {
  const decoder = new ChunkedDecoder({ maxTrailerBytes: 1 << 20, maxTrailerFields: 1 << 16 })
  const out: Buffer[] = []
  eachOctet(Buffer.from(body), (octet) => assert.ok(!(decoder.decode(octet, 0, out) instanceof Malformed)))
  assert.ok(decoder.complete)
}

describe('what comes octet by octet costs what it is long:', () => {
  test('a head of a request', () => assertLinear((times) => {
    const received = new Received(1 << 20)
    let head: unknown
    eachOctet(Buffer.from(`GET / HTTP/1.1\r\n${'X: 0123456789\r\n'.repeat(500 * times)}\r\n`), (octet) => {
      received.add(octet)
      head = received.takeHead()
    })
    assert.equal(typeof head, 'string')
  }))

  test('a head of an answer', () => assertLinear((times) => {
    const reader = new AnswerReader('HEAD', { interim () {}, head () {}, piece () {}, switched: () => undefined })
    // Limits of heads and of fields stand.
    eachOctet(Buffer.from(`HTTP/1.1 200 OK\r\n${`X: ${'y'.repeat(100)}\r\n`.repeat(40 * times)}\r\n`), (octet) => assert.ok(!(reader.push(octet) instanceof Malformed)))
    assert.ok(reader.complete)
  }))

  test('a trailer section', () => assertLinear((times) => decoded(`0\r\n${'X: 0123456789\r\n'.repeat(500 * times)}\r\n`)))
  test('chunks of one octet', () => assertLinear((times) => decoded(`${'1\r\na\r\n'.repeat(2_000 * times)}0\r\n\r\n`)))
  test('chunk extensions', () => assertLinear((times) => decoded(`${`1;a="${'\\"'.repeat(15)}"\r\na\r\n`.repeat(100 * times)}0\r\n\r\n`)))
})

describe('what comes at once costs what it is long:', () => {
  const head = (target: string, fields: string): void => {
    const text = `GET ${target} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`
    const line = readRequestLine(text, 0)
    assert.ok(!(line instanceof Malformed))
    const list: string[] = []
    assert.ok(!(readFields(text, line.end, list, 1 << 20) instanceof Malformed))
    readRequestHead({ ...line, fields: list, scheme: 'http', maxFields: 1 << 20 })
  }
  test('a target', () => assertLinear((times) => head(`/${'a/../%2e'.repeat(5_000 * times)}`, '')))
  test('many fields', () => assertLinear((times) => head('/', 'X: y\r\n'.repeat(5_000 * times))))
  test('a value of white space', () => assertLinear((times) => head('/', `X:${' \t'.repeat(5_000 * times)}y${' '.repeat(5_000 * times)}\r\n`)))
  test('a list in Connection', () => assertLinear((times) => head('/', `Connection: ${'a ,'.repeat(5_000 * times)}\r\n`)))
  test('many Connection fields', () => assertLinear((times) => head('/', 'Connection: a\r\n'.repeat(2_000 * times))))
  test('many requests in a row', () => assertLinear((times) => {
    const received = new Received(8192)
    received.add(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1_000 * times)))
    let heads = 0
    while (typeof received.takeHead() === 'string') heads++
    assert.equal(heads, 1_000 * times)
  }))
})
