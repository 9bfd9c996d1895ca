import assert from 'node:assert/strict'
import test from 'node:test'
import { emptyAudit, noEntries, type Decision, type DecisionFields, type HeaderEdit, type Wants } from '../../../proto/codec/index.ts'
import { rule, stages as proxyStages } from '../../../proxy/decisions/decide.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { stages, whyNotApplied } from '../../../sdk/testing/stages.ts'

const plain: DecisionFields = {
  requestHeaders: [], responseHeaders: [], replaceBody: undefined, rewritePath: undefined, rewriteQuery: undefined, upstream: '', attributes: noEntries,
  audit: undefined, wants: undefined,
}
const allow = (fields: Partial<DecisionFields> = {}): Decision => ({ ...plain, ...fields, kind: 'allow', value: {} })
const set = (name: string, value = 'v'): HeaderEdit => ({ action: 'set', name, value })
const wants = (fields: Partial<Wants>): Wants => ({ done: false, requestBody: undefined, responseHeaders: false, responseBody: undefined, ...fields })
const many = (count: number): HeaderEdit[] => Array.from({ length: count }, (_, i) => set(`x-${i}`))
const stream = { kind: 'stream', maxBytes: 0, over: 'block' } as const

const decisions: Readonly<Record<string, Decision>> = {
  'nothing else': allow(),
  'a request header': allow({ requestHeaders: [set('x-a')] }),
  'a response header': allow({ responseHeaders: [set('x-a')] }),
  'another path': allow({ rewritePath: '/new' }),
  'a path with a blank': allow({ rewritePath: '/a b' }),
  'a path without a slash': allow({ rewritePath: 'a' }),
  'a long path': allow({ rewritePath: `/${'a'.repeat(8192)}` }),
  'another query': allow({ rewriteQuery: 'a=1' }),
  'a query with a fragment': allow({ rewriteQuery: 'a#b' }),
  'another upstream': allow({ upstream: 'other' }),
  'another body': allow({ replaceBody: Buffer.from('new') }),
  'the request body, late': allow({ wants: wants({ requestBody: stream }) }),
  'the response body': allow({ wants: wants({ responseBody: stream }) }),
  'the response': allow({ wants: wants({ responseHeaders: true }) }),
  'a header of the framing': allow({ requestHeaders: [set('Content-Length')] }),
  'an alias of one': allow({ requestHeaders: [set('transfer_encoding')] }),
  'a header of the connection in the answer': allow({ responseHeaders: [set('Connection')] }),
  'as many edits as are taken': allow({ responseHeaders: many(128) }),
  'more edits': allow({ responseHeaders: many(129) }),
  'long edits': allow({ responseHeaders: [set('x-a', 'a'.repeat(40_000)), set('x-b', 'a'.repeat(40_000))] }),
  'a very long value': allow({ responseHeaders: [set('x-a', 'a'.repeat(70_000))] }),
  'a very long name': allow({ responseHeaders: [set('x'.repeat(257))] }),
  'attributes': allow({ attributes: new Map([['user', 'alice']]) }),
  'an attribute with a blank in its name': allow({ attributes: new Map([['a b', 'c']]) }),
  'many attributes': allow({ attributes: new Map(Array.from({ length: 65 }, (_, i) => [`a${i}`, 'b'])) }),
  'long attributes': allow({ attributes: new Map([['a', 'b'.repeat(17 * 1024)]]) }),
  'an audit': allow({ audit: { ...emptyAudit, reason: 'why' } }),
  'a flag': { ...plain, kind: 'flag', value: {} },
  'a block': { ...plain, kind: 'block', value: { status: 403, headers: ['X-A', 'b'], body: Buffer.from('no') } },
  'a block with a header of the framing': { ...plain, kind: 'block', value: { status: 403, headers: ['Transfer-Encoding', 'chunked'], body: Buffer.alloc(0) } },
  'a redirect': { ...plain, kind: 'redirect', value: { status: 302, location: '/there' } },
  'a redirect to a very long place': { ...plain, kind: 'redirect', value: { status: 302, location: `/${'a'.repeat(8192)}` } },
  'a challenge': { ...plain, kind: 'challenge', value: { scheme: 'Basic', params: new Map([['realm', 'a']]), body: Buffer.alloc(0) } },
  'a challenge with a line break': { ...plain, kind: 'challenge', value: { scheme: 'Basic', params: new Map([['realm', 'a\nb']]), body: Buffer.alloc(0) } },
  'a review': { ...plain, kind: 'review', value: { ticket: 'T-1' } },
  'a review with a blank in its ticket': { ...plain, kind: 'review', value: { ticket: 'T 1' } },
  'no kind at all': { ...plain, kind: undefined, value: undefined },
}

/** What the proxy says of it. */
function refusalOf (decision: Decision, stage: keyof typeof proxyStages): string | undefined {
  try {
    rule(decision, proxyStages[stage])
    return undefined
  } catch (error) {
    assert.ok(error instanceof Fault)
    assert.equal(error.code, 'AGENT_BAD_REPLY')
    return error.detail
  }
}

test('the test harness and the proxy know the same stages', () => {
  assert.deepEqual(Object.keys(stages).toSorted(), Object.keys(proxyStages).toSorted())
})

for (const stage of Object.keys(proxyStages) as Array<keyof typeof proxyStages>) {
  test(`what the proxy would not apply at this stage is an error in tests, with its words: ${stage}`, () => {
    for (const [name, decision] of Object.entries(decisions)) {
      assert.equal(whyNotApplied(decision, stages[stage]), refusalOf(decision, stage), name)
    }
  })
}

test('the cases hold both: what is applied, and what is not', () => {
  const refused = Object.values(decisions).filter((decision) => whyNotApplied(decision, stages.requestHeaders) !== undefined)
  assert.ok(refused.length > 10 && refused.length < Object.keys(decisions).length - 10, String(refused.length))
})
