// The proxy takes messages of 16 MiB: what does not fit costs its own exchange, not the connection and with it all others.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allow, block, defineAgent, redact } from 'sentinel/sdk'
import { expectVerdict, testAgent } from 'sentinel/sdk/testing'

const mib = 1024 * 1024

const agent = defineAgent({
  name: 'large',
  onRequest: ({ path }) => path === '/blocked' ? block(403, { body: Buffer.alloc(17 * mib) }) : allow(),
  onRequestBody: (_, { searchParams }) => redact({ replaceBody: Buffer.alloc(Number(searchParams.get('mib')) * mib) }),
})

test('an answer that is longer than a message may be is an error of its exchange, and the next is answered', async () => {
  const tested = await testAgent(agent)
  for (const [method, path, body] of [['GET', '/blocked', undefined], ['POST', '/body?mib=17', 'x']] as const) {
    const exchange = await tested.request(method, path, body === undefined ? {} : { body })
    const { kind, error } = await exchange.verdict
    assert.deepEqual([kind, error?.code], ['error', 'bad_answer'])
    assert.match(error!.message, /an answer of \d+ bytes, and the proxy takes at most 16777216/)
  }
  expectVerdict(await (await tested.request('POST', '/body?mib=15', { body: 'x' })).verdict, { kind: 'redact' })
})

test('answers of one turn that are too long together go out one by one', async () => {
  const tested = await testAgent(agent)
  const exchanges = await Promise.all([1, 2, 3].map(() => tested.request('POST', '/body?mib=9', { body: 'x' })))
  for (const { verdict } of exchanges) expectVerdict(await verdict, { kind: 'redact' })
})
