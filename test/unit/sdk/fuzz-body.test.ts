import assert from 'node:assert/strict'
import test from 'node:test'
import { block, defineAgent, hold, pass, passButTail } from '../../../sdk/index.ts'
import { fuzzBody, testAgent } from '../../../sdk/testing/index.ts'

const secret = 'SECRET'

/** Looks at each piece alone: what stands on a border is not seen. */
const careless = defineAgent({
  name: 'careless',
  onRequestChunk: (chunk) => Buffer.from(chunk.bytes).includes(secret) ? block(403, { audit: { reason: 'secret' } }) : pass(),
  onResponseChunk: (chunk) => Buffer.from(chunk.bytes).includes(secret) ? block(502) : pass(),
})

/** Keeps back what could be the beginning of it. */
const careful = defineAgent({
  name: 'careful',
  onRequestChunk (chunk, _request, { memory }) {
    const seen = Buffer.concat([memory.get('tail') as Buffer | undefined ?? Buffer.alloc(0), chunk.bytes])
    memory.set('tail', seen.subarray(-(secret.length - 1)))
    if (seen.includes(secret)) return block(403, { audit: { reason: 'secret' } })
    return chunk.end ? pass() : passButTail(secret.length - 1)
  },
})

const body = `one two ${secret} three`

test('an agent that looks at pieces alone is found out, and the failure says how the body was cut', async () => {
  await assert.rejects(fuzzBody(await testAgent(careless), body), (error: Error) => {
    assert.equal(error.name, 'AssertionError')
    assert.match(error.message, /^The verdict depends on where the body is cut\.\n {2}in 2 pieces: "one two S" \| "ECRET three"\n {2}kind: "allow"\n {4}in one piece: "block"/)
    assert.match(error.message, /\(seed 1\)$/)
    return true
  })
})

test('one that keeps back a tail gives one verdict for every way to cut it', async () => {
  const tested = await testAgent(careful)
  assert.equal((await fuzzBody(tested, body)).status, 403)
  assert.equal((await fuzzBody(tested, 'nothing of that kind', { random: 200, seed: 7 })).passedBody, 'nothing of that kind')
  assert.equal(tested.open, 0, 'nothing of all those exchanges is left')
})

test('the body of an answer is fuzzed as well', async () => {
  await assert.rejects(fuzzBody(await testAgent(careless), body, { of: 'response' }), /in 2 pieces: "one two S" \| "ECRET three"\n {2}kind: "allow"/)
})

test('every border, single bytes, empty pieces and chance are tried', async () => {
  const ways = new Set<string>()
  let current: string[] = []
  const agent = defineAgent({
    name: 'notes',
    onRequestChunk (chunk) {
      current.push(Buffer.from(chunk.bytes).toString())
      if (!chunk.end) return hold()
      ways.add(current.join('|'))
      current = []
      return pass()
    },
  })
  await fuzzBody(await testAgent(agent), 'abcde', { random: 20 })
  for (const way of ['abcde', 'a|bcde', 'ab|cde', 'abc|de', 'abcd|e', 'a|b|c|d|e', 'abcde|', 'ab||cd||e|']) assert.ok(ways.has(way), `${way} of ${[...ways].join('  ')}`)
  assert.ok(ways.size > 10, String(ways.size))
})

test('a long body takes a bounded number of ways', async () => {
  let count = 0
  const agent = defineAgent({
    name: 'counts',
    onRequestChunk (chunk) {
      if (chunk.end) count++
      return pass()
    },
  })
  await fuzzBody(await testAgent(agent), Buffer.alloc(64 * 1024, 'a'), { random: 5 })
  assert.equal(count, 1 + 1024 + 2 + 5)
})
