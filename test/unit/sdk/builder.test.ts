import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { allow, block, challenge, defineAgent, flag, redact, redirect, type Decision } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'

async function verdictOf (decision: Decision, body?: string) {
  const agent = await testAgent(defineAgent({ name: 'test', ...(body === undefined ? { onRequest: () => decision } : { onRequestBody: () => decision }) }))
  return agent.request('POST', '/', body === undefined ? {} : { body })
}

test('a decision is built word by word, and every word gives a new one', async () => {
  const plain = block(429)
  const built = plain
    .withBody({ error: 'slow down' })
    .withHeader('Retry-After', '5')
    .withAttribute('limited', 'yes')
    .withAttribute('by', 'ip')
    .withAudit({ reason: 'rate', ruleIds: ['r1'] })
    .withAudit({ severity: 'low' })
    .withResponseHeaders({ 'x-a': '1' })
    .withResponseHeaders({ 'x-b': '2' })
  const { status, headers, body, attributes, audit, responseHeaders } = await verdictOf(built)
  assert.deepEqual({ status, headers, body, attributes }, {
    status: 429, headers: { 'retry-after': '5', 'content-type': 'application/json' }, body: '{"error":"slow down"}', attributes: { limited: 'yes', by: 'ip' },
  })
  assert.deepEqual([audit.reason, audit.ruleIds, audit.severity], ['rate', ['r1'], 'low'])
  assert.deepEqual(responseHeaders.map(({ name, value }) => `${name}: ${value}`), ['x-a: 1', 'x-b: 2'])
  const first = await verdictOf(plain)
  assert.deepEqual([first.body, first.headers, first.attributes], ['', {}, {}])
})

test('another body takes its type with it, and a type that the author gave stays', async () => {
  const text = block(403).withBody('no')
  assert.equal((await verdictOf(text)).headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal((await verdictOf(text.withBody({ no: true }).withAttribute('a', 'b'))).headers['content-type'], 'application/json')
  assert.equal((await verdictOf(text.withHeader('Content-Type', 'application/problem+json').withBody({}))).headers['content-type'], 'application/problem+json')
})

test('requests are changed by what is built, in the order it was said', async () => {
  const decision = allow().withRequestHeaders({ 'x-a': '1' }).withRequestHeaders({ 'x-a': null, 'x-b': ['2', '3'] }).withPath('/new', 'q=1').withUpstream('other')
  const { requestHeaders, rewritePath, rewriteQuery, upstream } = await verdictOf(decision)
  assert.deepEqual(requestHeaders.map((e) => `${e.action} ${e.name} ${e.value}`), ['set x-a 1', 'remove x-a ', 'set x-b 2', 'append x-b 3'])
  assert.deepEqual([rewritePath, rewriteQuery, upstream], ['/new', 'q=1', 'other'])
  assert.equal((await verdictOf(redact().withReplacedBody('***'), 'secret')).passedBody, '***')
  assert.equal((await verdictOf(challenge('Bearer').withBody('log in'))).body, 'log in')
})

test('what makes no sense throws where it is written', () => {
  // @ts-expect-error: for those who have no compiler
  assert.throws(() => allow().withBody('x'), /only a block and a challenge/)
  // @ts-expect-error: for those who have no compiler
  assert.throws(() => redirect('/').withHeader('a', 'b'), /withResponseHeaders/)
  assert.throws(() => block().withHeader('a', 'b\r\nc'), /no header can carry/)
  assert.throws(() => flag().withRequestHeaders({ 'a b': '' }), /token/)
})
