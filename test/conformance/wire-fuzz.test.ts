/**
 * Hostile bytes through the whole proxy, client to target: whatever leaves for the target is the same requests for llhttp when it is strict, for llhttp
 * when it forgives everything, and for servers of quite other habits; and it is what llhttp reads in what the client sent. However the bytes are cut,
 * the outcome is the same. The same inputs in every run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { randomFrom, type Random } from '../support/chance.ts'
import { hostileRequest, inPieces } from '../support/hostile-requests.ts'
import type { Message } from '../support/http1-messages.ts'
import { parsedByLlhttp, type Leniency } from '../support/llhttp.ts'
import { otherReaders, seenBy } from '../support/other-readers.ts'
import { pass, type Passage, type Sent } from '../support/wire-path.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 150_000)
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 20_261_128)

const leniencies: readonly Leniency[] = ['strict', 'lenient']

/** llhttp knows a list of methods, and refuses the others. */
const known = /^(?:GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH)$/

/** With a method that llhttp knows. */
function forLlhttp ({ bytes, method }: Sent): string {
  return known.test(method) ? bytes : `PATCH${bytes.slice(method.length)}`
}

/** The body of a request, taken out of the framing that the proxy wrote. */
function bodyOf (request: Sent): string {
  const { messages } = parsedByLlhttp(Buffer.from(forLlhttp(request), 'latin1'))
  return messages[0]?.body ?? ''
}

function wrongWithSent ({ sent }: Passage): string | undefined {
  const whole = sent.filter(({ complete }) => complete)
  const stream = whole.map(({ bytes }) => bytes).join('')
  const knownStream = Buffer.from(whole.map(forLlhttp).join(''), 'latin1')
  for (const leniency of leniencies) {
    const { messages, refused } = parsedByLlhttp(knownStream, leniency)
    if (messages.length !== whole.length) return `${whole.length} requests were sent, llhttp (${leniency}) sees ${messages.length}`
    if (refused) return `llhttp (${leniency}) refuses what was sent`
    for (const [index, { method, target, fields }] of whole.entries()) {
      const message = messages[index]!
      if (known.test(method) && message.method !== method || message.target !== target) return `sent ${method} ${target}, llhttp (${leniency}) sees ${message.method} ${message.target}`
      const rest = message.fields.join('\n')
      if (!rest.includes(fields.join('\n'))) return `sent ${JSON.stringify(fields)}, llhttp (${leniency}) sees ${JSON.stringify(message.fields)}`
    }
  }
  for (const habits of otherReaders) {
    const seen = seenBy(habits, stream)
    if (seen.length !== whole.length) return `${whole.length} requests were sent, who ${habits.name} sees ${seen.length}`
    for (const [index, request] of whole.entries()) {
      const { method, target, body } = seen[index]!
      if (method !== request.method || target !== request.target || body !== bodyOf(request)) return `request ${index} is another one for who ${habits.name}: ${JSON.stringify(seen[index])}`
    }
  }
  for (const { bytes, complete } of sent) {
    if (complete) continue
    const readers = [...leniencies.map((leniency) => parsedByLlhttp(Buffer.from(bytes, 'latin1'), leniency).messages.length), ...otherReaders.map((habits) => seenBy(habits, bytes).length)]
    if (readers.some((count) => count > 0)) return 'a request that was broken off is a whole one for somebody'
  }
  return undefined
}

function wrongWithReading (bytes: Buffer, { sent }: Passage): string | undefined {
  for (const leniency of leniencies) {
    const { messages } = parsedByLlhttp(bytes, leniency)
    let at = 0
    for (const request of sent) {
      if (!request.complete) break
      if (!known.test(request.method)) return undefined
      const index = messages.findIndex((message, from) => from >= at && isSame(message, request))
      // Behind a request that would switch protocols llhttp reads nothing more.
      if (index === -1 && messages.at(-1)?.fields.some((name) => /^upgrade$/i.test(name)) === true) return undefined
      // What was answered without asking the target is not among those that were sent.
      if (index === -1) return `sent ${request.method} ${request.target}, which llhttp (${leniency}) does not see in what came`
      at = index + 1
    }
  }
  return undefined
}

function isSame (message: Message, request: Sent): boolean {
  return message.method === request.method && message.body === bodyOf(request)
}

/** What was done, without what differs from run to run: ids, dates, and where a chunk ends. */
function outcome ({ sent, answered, faults }: Passage): unknown {
  const whole = sent.filter(({ complete }) => complete).map(({ bytes }) => bytes.replace(/X-Request-Id: [^\r]+/, '')).join('')
  return { requests: parsedByLlhttp(Buffer.from(whole, 'latin1')).messages, statuses: answered.match(/HTTP\/1\.1 \d+/g), faults }
}

describe('whatever a client sends', () => {
  test(`reaches the target as requests that everybody reads alike, in ${runs} inputs`, async (t) => {
    const random: Random = randomFrom(firstSeed)
    const counts = { inputs: 0, sent: 0, broken: 0, refused: 0 }
    for (let run = 0; run < runs; run++) {
      const text = hostileRequest(random)
      const bytes = Buffer.from(text, 'latin1')
      const passage = await pass({ pieces: run % 4 === 0 ? inPieces(bytes, random) : [bytes] })
      const wrong = wrongWithSent(passage) ?? wrongWithReading(bytes, passage)
      assert.equal(wrong, undefined, `input ${run} of seed ${firstSeed}: ${JSON.stringify(text)}\nsent: ${JSON.stringify(passage.sent.map((request) => request.bytes))}`)
      assert.ok(!passage.faults.includes('INTERNAL'), `input ${run} of seed ${firstSeed} is a bug: ${JSON.stringify(text)}`)
      counts.inputs++
      for (const { complete } of passage.sent) counts[complete ? 'sent' : 'broken']++
      if (passage.faults.length > 0) counts.refused++
    }
    t.diagnostic(JSON.stringify({ seed: firstSeed, ...counts }))
    assert.ok(counts.sent > runs / 10 && counts.refused > runs / 10, 'both happen often enough to mean something')
  })

  test('has the same outcome however its bytes are cut', async () => {
    const random = randomFrom(firstSeed + 1)
    for (let run = 0; run < Math.min(runs, 5_000); run++) {
      const bytes = Buffer.from(hostileRequest(random), 'latin1')
      const [whole, cut] = [await pass({ pieces: [bytes] }), await pass({ pieces: inPieces(bytes, random, 1 + random(12)) })]
      assert.deepEqual(outcome(cut), outcome(whole), JSON.stringify(bytes.toString('latin1')))
    }
  })
})
