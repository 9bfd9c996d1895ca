/**
 * Our grammar of HTTP/1.1 against Node's parser: whatever we take for a request, it takes for the same request, and nothing that it refuses
 * gets past us. Every published family of request smuggling is among the seeds; the rest is made of them by chance. The same inputs in every
 * run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { pick, randomFrom, type Random } from '../support/chance.ts'
import { readMessages } from '../support/http1-messages.ts'
import { parsedByLlhttp } from '../support/llhttp.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 60_000)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_121)

const heads = [
  'GET / HTTP/1.1\r\nHost: a\r\n', 'POST /p?q=1 HTTP/1.1\r\nHost: a.b:80\r\n', 'POST http://a/x HTTP/1.1\r\nHost: a\r\n', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n',
  'GET / HTTP/1.0\r\n', 'HEAD /h HTTP/1.1\r\nhost:\ta \r\nConnection: close\r\n', 'PUT / HTTP/1.1\r\nHost: [::1]:8080\r\nExpect: 100-continue\r\n',
]
const framings = [
  '\r\n', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  // CL.TE, TE.CL, TE.TE, CL.CL, CL.0 and what hides a coding from one of two readers.
  'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nGPOST\r\n0\r\n\r\n',
  'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding:[\x0bchunked\r\n\r\n0\r\n\r\n', 'X: X\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding\n: chunked\r\n\r\n0\r\n\r\n',
  ' Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc',
  'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 'Content-Length: 5, 5\r\n\r\nhello', 'Content-Length: +5\r\n\r\nhello', 'Content-Length: 0x5\r\n\r\nhello',
  'Content-Length: 5 \r\n\r\nhello', 'Content-Length: 5\t\r\n\r\nhello', 'Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n', 'Content-Length:\r\n 5\r\n\r\nhello', 'Content_Length: 5\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\n', 'Content-Length: -1\r\n\r\n',
  // Chunk sizes, extensions, trailers and their ends.
  'Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5;\nx\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nx',
  'Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n-0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n5;a="b\r\nc"\r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  // Heads with a flaw.
  'A: b\r\n folded\r\n\r\n', 'A\r\n\r\n', ': b\r\n\r\n', 'A: b\0c\r\n\r\n', 'A: b\rc\r\n\r\n', 'A(b): c\r\n\r\n', 'Host: b\r\n\r\n', 'A: \x80\xff\r\n\r\n',
]
const pieces = [
  '\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', '\0', ':', ',', ';', '\x0b', '\x7f', '\xa0', '0', '1', '5', 'a', '"', 'chunked', 'Transfer-Encoding', 'Content-Length', 'Transfer-Encoding: chunked\r\n',
  'Content-Length: 3\r\n', 'HTTP/1.1', 'HTTP/1.0', 'HTTP/1.2', 'Host: x\r\n', 'GET / HTTP/1.1\r\nHost: b\r\n\r\n', '0\r\n\r\n', '_', '-', 'Connection: keep-alive\r\n', 'Connection: close\r\n', '%0d%0a', '#', '?', '\\',
]

function input (random: Random): string {
  let text = ''
  for (let count = 1 + random(3); count > 0; count--) text += pick(heads, random) + pick(framings, random)
  for (let changes = random(4); changes > 0; changes--) {
    const at = random(text.length + 1)
    const cut = random(3) === 0 ? random(6) : random(2)
    text = text.slice(0, at) + (random(4) === 0 ? String.fromCharCode(random(256)) : pick(pieces, random)) + text.slice(at + cut)
  }
  return text
}

/** Refused by Node's parser, and rightly taken by us: it knows a list of methods. */
function isOurChoice (messages: readonly { readonly method: string }[]): boolean {
  return messages.some(({ method }) => !/^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH)$/.test(method))
}

function compare (text: string, random: Random): string | undefined {
  const bytes = Buffer.from(text, 'latin1')
  const ours = readMessages(bytes, () => 1 + random(7))
  const theirs = parsedByLlhttp(bytes)
  for (const [index, message] of ours.messages.entries()) {
    const other = theirs.messages[index]
    if (other === undefined) {
      return isOurChoice(ours.messages.slice(index)) ? undefined : 'a request that Node does not see, or refuses'
    }
    for (const member of ['method', 'target', 'body'] as const) if (message[member] !== other[member]) return `another ${member}: ${JSON.stringify([message[member], other[member]])}`
    for (const member of ['fields', 'trailers'] as const) {
      // White space behind a value is no part of it; Node leaves it there.
      const trimmed = other[member].map(value => value.replace(/[ \t]+$/, ''))
      if (message[member].join('\n') !== trimmed.join('\n')) return `other ${member}: ${JSON.stringify([message[member], trimmed])}`
    }
  }
  return undefined
}

describe('requests as the listener reads them', () => {
  test(`are what Node's parser reads, in ${runs} inputs`, t => {
    const random = randomFrom(firstSeed)
    const counts = { taken: 0, refused: 0 }
    for (let run = 0; run < runs; run++) {
      const text = input(random)
      const wrong = compare(text, random)
      assert.equal(wrong, undefined, `input ${run} of seed ${firstSeed}: ${JSON.stringify(text)}`)
      if (readMessages(Buffer.from(text, 'latin1'), () => 65536).refused === undefined) counts.taken++
      else counts.refused++
    }
    t.diagnostic(JSON.stringify(counts))
    assert.ok(counts.taken > runs / 50 && counts.refused > runs / 50, 'both happen often enough to mean something')
  })

  test('do not depend on how the bytes are cut', () => {
    const random = randomFrom(firstSeed + 1)
    for (let run = 0; run < Math.min(runs, 5_000); run++) {
      const bytes = Buffer.from(input(random), 'latin1')
      const [small, large] = [readMessages(bytes, () => 1), readMessages(bytes, () => 65536)]
      assert.deepEqual(small.messages, large.messages)
      // What is said of a broken message may depend on how much of it was there.
      assert.equal(small.refused === undefined, large.refused === undefined)
    }
  })
})
