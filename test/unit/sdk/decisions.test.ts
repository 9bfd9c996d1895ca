import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { allow, block, challenge, defineAgent, flag, redact, redirect, review } from 'sentinel/sdk'
import type { Answered, AgentRequest, Decision } from 'sentinel/sdk'
import { testAgent } from 'sentinel/sdk/testing'

async function decide (onRequest: (request: AgentRequest) => Answered) {
  const agent = await testAgent(defineAgent({ name: 'test', onRequest }))
  return await agent.request('GET', '/')
}

test('a handler that returns nothing allows', async () => {
  assert.equal((await decide(() => {})).kind, 'allow')
  assert.equal((await decide(async () => {})).kind, 'allow')
})

test('every kind of decision arrives with what belongs to it', async () => {
  assert.equal((await decide(() => allow())).kind, 'allow')
  assert.equal((await decide(() => flag())).kind, 'flag')
  assert.equal((await decide(() => redact())).kind, 'redact')
  const asked = await decide(() => review('T-7'))
  assert.deepEqual([asked.kind, asked.ticket], ['review', 'T-7'])
  const blocked = await decide(() => block(451, { body: 'no', headers: { 'X-Why': 'law', 'Set-Cookie': ['a=1', 'b=2'] } }))
  assert.deepEqual([blocked.kind, blocked.status, blocked.body], ['block', 451, 'no'])
  assert.deepEqual(blocked.headers, { 'x-why': 'law', 'set-cookie': 'a=1, b=2', 'content-type': 'text/plain; charset=utf-8' })
  const moved = await decide(() => redirect('https://b.test/ü?a b', 308))
  assert.deepEqual([moved.kind, moved.status, moved.location], ['redirect', 308, 'https://b.test/%C3%BC?a%20b'])
  const challenged = await decide(() => challenge('Bearer', { realm: 'x', error: 'invalid_token' }, { body: 'who?' }))
  assert.deepEqual([challenged.kind, challenged.scheme, challenged.params, challenged.body], ['challenge', 'Bearer', { realm: 'x', error: 'invalid_token' }, 'who?'])
})

const extras = {
  attributes: { user: 'bob' },
  audit: { ruleIds: ['r1'], tags: ['t'], reason: 'test', severity: 'high', confidence: 0.5, redactions: ['email'], details: { a: 'b' } },
  requestHeaders: { 'x-set': 'a', 'x-two': ['1', '2'], 'x-gone': null },
  responseHeaders: [{ action: 'append', name: 'set-cookie', value: 'a=1' }],
  rewritePath: '/new%20path',
  rewriteQuery: '',
  upstream: 'other',
} as const

test('every kind of decision carries everything that can be attached', async () => {
  const kinds: Decision[] = [allow(extras), flag(extras), redact(extras), review('', extras), block(403, extras), redirect('/', 302, extras), challenge('Basic', {}, extras)]
  for (const decision of kinds) {
    for (const given of [decision, decision.with({ attributes: { user: 'bob' } })]) {
      const verdict = await decide(() => given)
      assert.equal(verdict.kind, decision.kind)
      assert.deepEqual(verdict.attributes, { user: 'bob' })
      assert.deepEqual({ ...verdict.audit, details: Object.fromEntries(verdict.audit.details) }, extras.audit)
      assert.deepEqual(verdict.requestHeaders, [
        { action: 'set', name: 'x-set', value: 'a' }, { action: 'set', name: 'x-two', value: '1' }, { action: 'append', name: 'x-two', value: '2' },
        { action: 'remove', name: 'x-gone', value: '' },
      ])
      assert.deepEqual(verdict.responseHeaders, [{ action: 'append', name: 'set-cookie', value: 'a=1' }])
      assert.deepEqual([verdict.rewritePath, verdict.rewriteQuery, verdict.upstream], ['/new%20path', '', 'other'])
    }
  }
})

test('with() adds to what is attached and leaves the decision it was called on alone', async () => {
  const first = block(403, { attributes: { a: '1' }, audit: { reason: 'x' } })
  const second = first.with({ attributes: { b: '2' }, audit: { ruleIds: ['7'] } })
  assert.deepEqual((await decide(() => first)).attributes, { a: '1' })
  const verdict = await decide(() => second)
  assert.deepEqual([verdict.attributes, verdict.audit.reason, verdict.audit.ruleIds], [{ a: '1', b: '2' }, 'x', ['7']])
})

test('a block body that is an object is sent as JSON', async () => {
  const verdict = await decide(() => block(422, { body: { error: 'bad', at: [1] } }))
  assert.deepEqual([verdict.body, verdict.headers], ['{"error":"bad","at":[1]}', { 'content-type': 'application/json' }])
  const own = await decide(() => block(422, { body: { a: 1 }, headers: { 'content-type': 'application/problem+json' } }))
  assert.deepEqual(own.headers, { 'content-type': 'application/problem+json' })
})

test('what no client should get is refused where it is written', () => {
  assert.throws(() => block(200), RangeError)
  assert.throws(() => block(600), RangeError)
  assert.throws(() => block(403, { headers: { 'x-a': 'b\r\nset-cookie: c' } }), TypeError)
  assert.throws(() => block(403, { headers: { 'x a': 'b' } }), TypeError)
  assert.throws(() => block(403, { headers: { 'x-a': '\u010a' } }), TypeError)
  assert.throws(() => redirect(''), TypeError)
  assert.throws(() => challenge('not a token'), TypeError)
  assert.equal(redirect('/a\r\nb').outcome.kind, 'redirect')
})

test('a path or header that would break the request line is an error reply, not a decision', async () => {
  for (const rewritePath of ['no-slash', '/a b', '/a\r\nX: y', '/a?b', '/a#b']) assert.equal((await decide(() => allow({ rewritePath }))).kind, 'error', rewritePath)
  assert.equal((await decide(() => allow({ rewriteQuery: 'a b' }))).kind, 'error')
  assert.equal((await decide(() => allow({ requestHeaders: { a: '\n' } }))).kind, 'error')
})
