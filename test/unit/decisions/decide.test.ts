import assert from 'node:assert/strict'
import { test } from 'node:test'
import { emptyAudit, emptyDecision, type Decision, type DecisionOneOf } from '../../../proto/codec/index.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { mergeAttributes, rule, stages, type Stage } from '../../../proxy/decisions/decide.ts'

function decide (kind: DecisionOneOf, rest: Partial<Decision> = {}): Decision {
  // Both halves of the union come from one of its members.
  return { ...emptyDecision, ...rest, ...kind } as Decision
}

const allow: DecisionOneOf = { kind: 'allow', value: {} }

function refused (decision: Decision, stage: Stage = stages.requestHeaders): void {
  assert.throws(() => rule(decision, stage), (error) => error instanceof Fault && error.code === 'AGENT_BAD_REPLY')
}

function bodyText (decision: Decision): string {
  const chunk = rule(decision, stages.requestHeaders).reply?.body?.read()
  return chunk instanceof Buffer ? chunk.toString() : ''
}

test('allow, flag and redact go on', () => {
  for (const kind of ['allow', 'flag', 'redact'] as const) {
    const ruling = rule(decide({ kind, value: {} }), stages.requestHeaders)
    assert.equal(ruling.verdict, kind)
    assert.equal(ruling.reply, undefined)
  }
})

test('a block is status, headers and body as the agent chose', () => {
  const decision = decide({ kind: 'block', value: { status: 429, headers: ['Retry-After', '7', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'], body: Buffer.from('slow down') } })
  const { reply } = rule(decision, stages.requestHeaders)
  assert.equal(reply?.status, 429)
  assert.deepEqual(reply.headers.raw(), ['Retry-After', '7', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2'])
  assert.equal(bodyText(decision), 'slow down')
})

test('a block without a status is 403; one outside 400 to 599 is a bad reply', () => {
  const block = (status: number): Decision => decide({ kind: 'block', value: { status, headers: [], body: Buffer.alloc(0) } })
  assert.equal(rule(block(0), stages.requestHeaders).reply?.status, 403)
  assert.equal(rule(block(599), stages.requestHeaders).reply?.status, 599)
  for (const status of [200, 399, 600, 99999]) refused(block(status))
})

test('a redirect has one of five statuses and a location that is a URI', () => {
  const redirect = (status: number, location: string): Decision => decide({ kind: 'redirect', value: { status, location } })
  assert.equal(rule(redirect(0, '/login'), stages.requestHeaders).reply?.status, 302)
  assert.equal(rule(redirect(308, 'https://example.org/ü?q=ß'), stages.requestHeaders).reply?.headers.get('location'), 'https://example.org/%C3%BC?q=%C3%9F')
  refused(redirect(304, '/a'))
  for (const location of ['', '/a\r\nSet-Cookie: x=1', '/a b', '/a\0']) refused(redirect(302, location))
})

test('a challenge quotes its parameters', () => {
  const challenge = (scheme: string, params: Record<string, string>): Decision => decide({ kind: 'challenge', value: { scheme, params: new Map(Object.entries(params)), body: Buffer.from('who?') } })
  const { reply } = rule(challenge('Basic', { realm: 'a "b" \\c', charset: 'UTF-8' }), stages.requestHeaders)
  assert.equal(reply?.status, 401)
  assert.equal(reply.headers.get('www-authenticate'), 'Basic realm="a \\"b\\" \\\\c", charset="UTF-8"')
  assert.equal(rule(challenge('Negotiate', {}), stages.requestHeaders).reply?.headers.get('www-authenticate'), 'Negotiate')
  refused(challenge('', {}))
  refused(challenge('Ba sic', {}))
  refused(challenge('Basic', { 're alm': 'x' }))
  refused(challenge('Basic', { realm: 'x\r\nA: b' }))
})

test('a review is 403 with a ticket, which is made when the agent gave none', () => {
  const review = (ticket: string): Decision => decide({ kind: 'review', value: { ticket } })
  const given = rule(review('T-17'), stages.requestHeaders)
  assert.equal(given.reply?.status, 403)
  assert.equal(given.ticket, 'T-17')
  assert.equal(given.reply.headers.get('x-sentinel-ticket'), 'T-17')
  assert.match(bodyText(review('T-17')), /"ticket":"T-17"/)
  assert.match(rule(review(''), stages.requestHeaders).ticket ?? '', /^[0-9a-f-]{36}$/)
  refused(review('a b'))
})

test('a decision of an unknown kind is a bad reply, never an allow', () => {
  refused(emptyDecision)
  refused(decide(allow, { audit: { ...emptyAudit, severity: 'unrecognized' } }))
  refused(decide(allow, { wants: { done: false, requestBody: { kind: 'unrecognized', maxBytes: 0, over: 'block' }, responseHeaders: false, responseBody: undefined } }))
})

test('edits of framing, connection and host are refused, under any spelling', () => {
  for (const name of ['Content-Length', 'transfer-encoding', 'TRANSFER_ENCODING', 'Connection', 'host', 'Upgrade', 'keep.alive', 'te', 'expect']) {
    refused(decide(allow, { requestHeaders: [{ action: 'set', name, value: 'x' }] }))
    refused(decide(allow, { responseHeaders: [{ action: 'remove', name, value: '' }] }))
    refused(decide({ kind: 'block', value: { status: 403, headers: [name, 'x'], body: Buffer.alloc(0) } }))
  }
})

test('bytes that split a head are refused in names and values', () => {
  for (const value of ['a\r\nb: c', 'a\nb', 'a\0b', 'a\rb', 'a\x7fb', 'a\x01']) refused(decide(allow, { requestHeaders: [{ action: 'set', name: 'x-a', value }] }))
  for (const name of ['', 'a b', 'a:b', 'a\r\nb', ':path', 'ä']) refused(decide(allow, { requestHeaders: [{ action: 'append', name, value: 'x' }] }))
  refused(decide(allow, { requestHeaders: [{ action: 'unrecognized', name: 'x-a', value: 'x' }] }))
  refused(decide(allow, { requestHeaders: Array.from({ length: 129 }, () => ({ action: 'append' as const, name: 'x-a', value: 'x' })) }))
})

test('nothing of a request changes when it has left', () => {
  const edit = [{ action: 'set' as const, name: 'x-a', value: '1' }]
  for (const stage of [stages.requestChunk, stages.responseHeaders, stages.wholeResponseBody, stages.responseChunk]) {
    refused(decide(allow, { requestHeaders: edit }), stage)
    refused(decide(allow, { rewritePath: '/a' }), stage)
    refused(decide(allow, { rewriteQuery: 'a' }), stage)
    refused(decide(allow, { upstream: 'other' }), stage)
  }
  refused(decide(allow, { responseHeaders: edit }), stages.responseChunk)
})

test('a body is replaced only where a whole one was shown', () => {
  const replace = decide(allow, { replaceBody: Buffer.from('x') })
  assert.equal(rule(replace, stages.wholeRequestBody).replaceBody?.toString(), 'x')
  for (const stage of [stages.requestHeaders, stages.requestPrefix, stages.requestChunk, stages.responseHeaders, stages.responsePrefix, stages.responseChunk]) refused(replace, stage)
})

test('a path to rewrite to is absolute and has no query, fragment, space or control character', () => {
  assert.equal(rule(decide(allow, { rewritePath: '/a/%20b', rewriteQuery: 'x=1&y=?' }), stages.requestHeaders).rewritePath, '/a/%20b')
  for (const rewritePath of ['', 'a', '/a b', '/a?b', '/a#b', '/a\r\n', '/ä']) refused(decide(allow, { rewritePath }))
  for (const rewriteQuery of ['a b', 'a#b', 'a\n']) refused(decide(allow, { rewriteQuery }))
})

test('attributes are bounded in one reply and over the exchange; an empty value removes', () => {
  assert.deepEqual([...mergeAttributes(new Map([['a', '1'], ['b', '2']]), new Map([['a', ''], ['c', '3']]))], [['b', '2'], ['c', '3']])
  const many = new Map(Array.from({ length: 65 }, (_, i) => [`a${i}`, 'x']))
  refused(decide(allow, { attributes: many }))
  refused(decide(allow, { attributes: new Map([['a', 'x'.repeat(17 * 1024)]]) }))
  refused(decide(allow, { attributes: new Map([['a\n', 'x']]) }))
  assert.throws(() => mergeAttributes(new Map(Array.from({ length: 60 }, (_, i) => [`b${i}`, 'x'])), new Map(Array.from({ length: 5 }, (_, i) => [`a${i}`, 'x']))))
})

test('an audit is cut to size and its confidence kept between 0 and 1', () => {
  const { audit } = rule(decide(allow, { audit: { ...emptyAudit, ruleIds: ['942100'], reason: 'x'.repeat(2000), confidence: 7, severity: 'high', details: new Map([['__proto__', 'y']]) } }), stages.requestHeaders)
  assert.equal(audit?.reason.length, 512)
  assert.equal(audit.confidence, 1)
  assert.equal(audit.severity, 'high')
  assert.deepEqual(Object.keys(audit.details), ['__proto__'])
})
