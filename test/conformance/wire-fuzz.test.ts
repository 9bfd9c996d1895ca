/**
 * Hostile bytes through the whole proxy, in both directions: whatever leaves is the same messages for llhttp when it is strict, for llhttp when it
 * forgives everything, and for servers of quite other habits; and it is what llhttp reads in what came. However the bytes are cut, the outcome is the
 * same. The same inputs in every run; FUZZ_RUNS=1000000 makes more of them, FUZZ_SEED others.
 */
import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { pick, randomFrom, type Random } from '../support/chance.ts'
import { hostileAnswer } from '../support/hostile-answers.ts'
import { hostileRequest, inPieces } from '../support/hostile-requests.ts'
import { parsedByLlhttp } from '../support/llhttp.ts'
import { wrongWithAnswer, wrongWithReading, wrongWithSent, wrongWithWaiting } from '../support/wire-judge.ts'
import { pass, type Passage } from '../support/wire-path.ts'

const runs = Number(process.env['FUZZ_RUNS'] ?? 40_000)
const seed = Number(process.env['FUZZ_SEED'] ?? 20_261_128)

type Counts = Record<string, number>

async function requests (): Promise<Counts> {
  const random: Random = randomFrom(seed)
  const counts = { inputs: 0, sent: 0, broken: 0, refused: 0 }
  for (let run = 0; run < runs; run++) {
    const text = hostileRequest(random)
    const bytes = Buffer.from(text, 'latin1')
    const passage = await pass({ pieces: run % 4 === 0 ? inPieces(bytes, random) : [bytes] })
    const wrong = wrongWithSent(passage) ?? wrongWithReading(bytes, passage) ?? wrongWithCode(passage)
    assert.equal(wrong, undefined, `input ${run} of seed ${seed}: ${JSON.stringify(text)}\nsent: ${JSON.stringify(passage.sent.map((request) => request.bytes))}`)
    counts.inputs++
    for (const { complete } of passage.sent) counts[complete ? 'sent' : 'broken']++
    if (passage.faults.length > 0) counts.refused++
  }
  return counts
}

const asking = ['GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', 'GET / HTTP/1.0\r\n\r\n', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n']

async function answers (): Promise<Counts> {
  const random: Random = randomFrom(seed + 1)
  const counts = { inputs: 0, whole: 0, kept: 0, refused: 0 }
  for (let run = 0; run < runs * 2 / 3; run++) {
    const text = hostileAnswer(random)
    const bytes = Buffer.from(text, 'latin1')
    const request = pick(asking, random)
    const pieces = run % 4 === 0 ? inPieces(bytes, random) : [bytes]
    const answerEnds = random(2) === 0
    const passage = await pass({ pieces: [Buffer.from(request)], answer: () => pieces, answerEnds })
    const wrong = wrongWithAnswer(bytes, request.split(' ')[0]!, passage) ?? (answerEnds ? wrongWithWaiting(passage) : undefined) ?? wrongWithCode(passage)
    assert.equal(wrong, undefined, `input ${run} of seed ${seed + 1}, ${JSON.stringify(request)}: ${JSON.stringify(text)}\ngot: ${JSON.stringify(passage.answered)}`)
    counts.inputs++
    if (passage.sent[0]?.reusable === true) counts.kept++
    if (passage.faults.length > 0) counts.refused++
    else counts.whole++
  }
  return counts
}

async function cuts (): Promise<Counts> {
  const random = randomFrom(seed + 2)
  const counts = { inputs: 0 }
  for (; counts.inputs < Math.min(runs, 3_000); counts.inputs++) {
    const bytes = Buffer.from(hostileRequest(random), 'latin1')
    const [whole, cut] = [await pass({ pieces: [bytes] }), await pass({ pieces: inPieces(bytes, random, 1 + random(12)) })]
    assert.deepEqual(outcome(cut), outcome(whole), JSON.stringify(bytes.toString('latin1')))
  }
  return counts
}

function wrongWithCode ({ faults }: Passage): string | undefined {
  return faults.includes('INTERNAL') ? 'a bug' : undefined
}

/** What was done, without what differs from run to run: ids, dates, and where a chunk ends. */
function outcome ({ sent, answered, faults }: Passage): unknown {
  const whole = sent.filter(({ complete }) => complete).map(({ bytes }) => bytes.replace(/X-Request-Id: [^\r]+/, '')).join('')
  return { requests: parsedByLlhttp(Buffer.from(whole, 'latin1')).messages, statuses: answered.match(/HTTP\/1\.1 \d+/g), faults }
}

const kinds = { requests, answers, cuts }

/** In a thread of its own: node:test remembers every promise that is made under it. */
function inThread (kind: keyof typeof kinds): Promise<Counts> {
  return new Promise((resolve, reject) => {
    new Worker(new URL(import.meta.url), { workerData: kind }).once('message', resolve).once('error', reject)
  })
}

if (isMainThread) {
  describe(`hostile bytes, seed ${seed},`, () => {
    test('of clients reach the target as requests that everybody reads alike', async (t) => {
      const counts = await inThread('requests')
      t.diagnostic(JSON.stringify(counts))
      assert.ok(counts['sent']! > runs / 10 && counts['refused']! > runs / 10, 'both happen often enough to mean something')
    })

    test('of targets reach the client as one answer, or none, and nothing of them is left for another', async (t) => {
      const counts = await inThread('answers')
      t.diagnostic(JSON.stringify(counts))
      assert.ok(counts['kept']! > runs / 50 && counts['refused']! > runs / 10, 'both happen often enough to mean something')
    })

    test('have the same outcome however they are cut', async () => {
      assert.ok((await inThread('cuts'))['inputs']! > 0)
    })
  })
} else {
  parentPort!.postMessage(await kinds[workerData as keyof typeof kinds]())
}
