/**
 * Our grammar of HTTP/1.1 against Node's parser: whatever we take for a request, it takes for the same request, and nothing that it refuses
 * gets past us. Every published family of request smuggling is among the seeds; the rest is made of them by chance. The same inputs in every
 * run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { randomFrom, type Random } from '../support/chance.ts'
import { hostileRequest } from '../support/hostile-requests.ts'
import { readMessages } from '../support/http1-messages.ts'
import { parsedByLlhttp } from '../support/llhttp.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 620_000)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_121)

/** Refused by Node's parser, and rightly taken by us: it knows a list of methods. */
function isOurChoice (messages: readonly { readonly method: string }[]): boolean {
  return messages.some(({ method }) => !/^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH)$/.test(method))
}

function compare (text: string, random: Random): string | undefined {
  const bytes = Buffer.from(text, 'latin1')
  const ours = readMessages(bytes, () => 1 + random(7))
  if (ours.messages.length === 0) return undefined
  return difference(ours, parsedByLlhttp(bytes)) ?? difference(ours, parsedByLlhttp(bytes, 'lenient'))
}

function difference (ours: ReturnType<typeof readMessages>, theirs: ReturnType<typeof parsedByLlhttp>): string | undefined {
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
      const text = hostileRequest(random)
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
      const bytes = Buffer.from(hostileRequest(random), 'latin1')
      const [small, large] = [readMessages(bytes, () => 1), readMessages(bytes, () => 65536)]
      assert.deepEqual(small.messages, large.messages)
      // What is said of a broken message may depend on how much of it was there.
      assert.equal(small.refused === undefined, large.refused === undefined)
    }
  })
})
