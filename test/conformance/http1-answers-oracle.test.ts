/**
 * Our reading of answers against Node's parser: whatever we take for an answer, it takes for the same answer, and nothing that it refuses gets
 * past us. The same inputs in every run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { pick, randomFrom, type Random } from '../support/chance.ts'
import { readAnswers, type Answer } from '../support/http1-answers.ts'
import { answersByLlhttp, type ParsedAnswer } from '../support/llhttp.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 40_000)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_122)

const heads = [
  'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 200 OK\r\nDate: x\r\n', 'HTTP/1.1 200\r\n', 'HTTP/1.1 404 \r\nServer: s\r\n', 'HTTP/1.0 200 OK\r\n', 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n', 'HTTP/1.1 204 No Content\r\n', 'HTTP/1.1 304 Not Modified\r\n',
  'HTTP/1.1 102 Processing\r\n', 'HTTP/1.1 500 \xe9\xff\r\nSet-Cookie: a\r\nset-cookie: b\r\n', 'HTTP/1.1 200 OK\r\nConnection: close\r\n', 'HTTP/1.1 413 No\r\nConnection: x\r\nX: y\r\n', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n',
]
const framings = [
  '\r\n', '\r\nto the end', 'Content-Length: 5\r\n\r\nhello', 'Content-Length: 0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n1;a=b\r\nx\r\n00\r\nT: v\r\n\r\n', 'transfer-encoding: Chunked\r\n\r\n0\r\n\r\n',
  'Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\nHTTP/1.1 200\r\n0\r\n\r\n', 'Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n',
  'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n', 'Transfer-Encoding: identity\r\nContent-Length: 3\r\n\r\nabc',
  'Transfer-Encoding: gzip\r\n\r\nx', 'Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!', 'Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello', 'Content-Length: 5, 5\r\n\r\nhello',
  'Content-Length: +5\r\n\r\nhello', 'Content-Length: 5 \r\n\r\nhello', 'Content-Length:\r\n 5\r\n\r\nhello', 'Content-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil',
  'Transfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n',
  'Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 7\r\n\r\n', 'Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n', 'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx',
  'A: b\r\n folded\r\n\r\n', 'A\r\n\r\n', 'A: b\0c\r\n\r\n', 'A: b\rSet-Cookie: evil\r\nContent-Length: 0\r\n\r\n', 'A: b\nC: d\r\nContent-Length: 0\r\n\r\n', 'A: \x80\xff\r\nContent-Length: 0\r\n\r\n',
]
const pieces = [
  '\r', '\n', '\r\n', '\r\n\r\n', ' ', '\t', '\0', ':', ',', ';', '\x0b', '\x7f', '\xa0', '0', '1', '5', 'a', 'chunked', 'Transfer-Encoding', 'Content-Length', 'Transfer-Encoding: chunked\r\n', 'Content-Length: 3\r\n',
  'HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', '200', '100', '204', '304', 'HTTP/1.1 200 OK\r\n\r\n', '0\r\n\r\n', '-', 'Connection: keep-alive\r\n', 'Connection: close\r\n', 'Connection: upgrade\r\nUpgrade: x\r\n',
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

const ofThisHop = /^(?:connection|keep-alive|proxy-connection|te|upgrade|transfer-encoding|content-length|proxy-authenticate|http2-settings)$/i

/** What is left of the fields that Node's parser saw when those of this hop are taken out. */
function passedOn ({ fields }: ParsedAnswer): string {
  const named = new Set<string>()
  for (let i = 0; i < fields.length; i += 2) {
    if (/^connection$/i.test(fields[i]!)) for (const name of fields[i + 1]!.split(',')) named.add(name.trim().toLowerCase())
  }
  const left: string[] = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i]!
    const option = named.has(name.toLowerCase()) && !/^(?:close|keep-alive)$/i.test(name)
    // White space behind a value is no part of it; Node leaves it there.
    if (!ofThisHop.test(name) && !option) left.push(name, fields[i + 1]!.replace(/[ \t]+$/, ''))
  }
  return left.join('\n')
}

function difference (ours: Answer, theirs: ParsedAnswer | undefined): string | undefined {
  if (theirs === undefined) return 'an answer that Node does not see, or refuses'
  if (ours.status !== theirs.status) return `another status: ${ours.status} ${theirs.status}`
  if (ours.body !== theirs.body) return `another body: ${JSON.stringify([ours.body, theirs.body])}`
  if (ours.fields.join('\n') !== passedOn(theirs)) return `other fields: ${JSON.stringify([ours.fields, theirs.fields])}`
  const trailers = theirs.trailers.map((value) => value.replace(/[ \t]+$/, '')).join('\n')
  return ours.trailers.join('\n') === trailers ? undefined : `other trailers: ${JSON.stringify([ours.trailers, theirs.trailers])}`
}

describe('answers as the upstreams read them', () => {
  test(`are what Node's parser reads, in ${runs} inputs`, (t) => {
    const random = randomFrom(firstSeed)
    const counts = { taken: 0, refused: 0 }
    for (let run = 0; run < runs; run++) {
      const text = input(random)
      const method = random(5) === 0 ? 'HEAD' : 'GET'
      const bytes = Buffer.from(text, 'latin1')
      const ours = readAnswers(bytes, method, () => 1 + random(7))
      const theirs = answersByLlhttp(bytes, method)
      const whole = ours.answers.filter(({ complete }) => complete)
      for (const [index, answer] of whole.entries()) {
        assert.equal(difference(answer, theirs.answers[index]), undefined, `input ${run} of seed ${firstSeed}, ${method}: ${JSON.stringify(text)}`)
      }
      if (ours.refused !== undefined) counts.refused++
      else if (whole.length > 0) counts.taken++
    }
    t.diagnostic(JSON.stringify(counts))
    assert.ok(counts.taken > runs / 50 && counts.refused > runs / 50, 'both happen often enough to mean something')
  })

  test('do not depend on how the bytes are cut', () => {
    const random = randomFrom(firstSeed + 1)
    for (let run = 0; run < Math.min(runs, 5_000); run++) {
      const bytes = Buffer.from(input(random), 'latin1')
      const [small, large] = [readAnswers(bytes, 'GET', () => 1), readAnswers(bytes, 'GET', () => 65_536)]
      const whole = ({ answers }: typeof small): Answer[] => answers.filter(({ complete }) => complete)
      assert.deepEqual(whole(small), whole(large), JSON.stringify(bytes.toString('latin1')))
      // What is said of a broken answer may depend on how much of it was there.
      assert.equal(small.refused === undefined, large.refused === undefined, JSON.stringify(bytes.toString('latin1')))
    }
  })
})
