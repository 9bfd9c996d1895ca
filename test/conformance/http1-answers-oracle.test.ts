/**
 * Our reading of answers against Node's parser: whatever we take for an answer, it takes for the same answer, and nothing that it refuses gets
 * past us. The same inputs in every run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { listItems } from '../../proxy/pipeline/headers.ts'
import { randomFrom } from '../support/chance.ts'
import { hostileAnswer } from '../support/hostile-answers.ts'
import { readAnswers, type Answer } from '../support/http1-answers.ts'
import { answersByLlhttp, type ParsedAnswer } from '../support/llhttp.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 350_000)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_122)

const ofThisHop = /^(?:connection|keep-alive|proxy-connection|te|upgrade|transfer-encoding|content-length|proxy-authenticate|http2-settings)$/i

/** What is left of the fields that Node's parser saw when those of this hop are taken out. */
function passedOn ({ fields }: ParsedAnswer): string {
  const named = new Set<string>()
  for (let i = 0; i < fields.length; i += 2) {
    if (/^connection$/i.test(fields[i]!)) for (const name of listItems(fields[i + 1]!)) named.add(name)
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
      const text = hostileAnswer(random)
      const method = random(5) === 0 ? 'HEAD' : 'GET'
      const bytes = Buffer.from(text, 'latin1')
      const ours = readAnswers(bytes, method, () => 1 + random(7))
      const whole = ours.answers.filter(({ complete }) => complete)
      const theirs = whole.length === 0 ? [] : [answersByLlhttp(bytes, method), answersByLlhttp(bytes, method, 'lenient')]
      for (const [index, answer] of whole.entries()) for (const { answers } of theirs) {
        assert.equal(difference(answer, answers[index]), undefined, `input ${run} of seed ${firstSeed}, ${method}: ${JSON.stringify(text)}`)
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
      const bytes = Buffer.from(hostileAnswer(random), 'latin1')
      const [small, large] = [readAnswers(bytes, 'GET', () => 1), readAnswers(bytes, 'GET', () => 65_536)]
      const whole = ({ answers }: typeof small): Answer[] => answers.filter(({ complete }) => complete)
      assert.deepEqual(whole(small), whole(large), JSON.stringify(bytes.toString('latin1')))
      // What is said of a broken answer may depend on how much of it was there.
      assert.equal(small.refused === undefined, large.refused === undefined, JSON.stringify(bytes.toString('latin1')))
    }
  })
})
