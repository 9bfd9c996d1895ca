import assert from 'node:assert/strict'
import test from 'node:test'
import { canonicalJson } from '../../../proxy/evidence/canonical.ts'
import { GENESIS, readRecord, seal } from '../../../proxy/evidence/chain.ts'
import { leavesReceipt, maskPath, receipt } from '../../../proxy/evidence/receipt.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import { auditOf, decided, decisionOf } from '../../support/decision.ts'

const context = { deployment: 'test', time: '2026-01-01T00:00:00.000Z' }

test('everything but a plain allow leaves a receipt, in every mode', () => {
  for (const mode of ['enforce', 'monitor', 'shadow', 'dry-run'] as const) {
    for (const verdict of ['block', 'flag', 'review', 'redirect', 'challenge', 'redact', 'failed']) {
      assert.ok(leavesReceipt(decisionOf({ verdict, mode, applied: mode === 'enforce', audit: undefined })), `${mode} ${verdict}`)
    }
  }
  assert.equal(leavesReceipt(decisionOf({ verdict: 'allow', audit: undefined })), false)
  assert.equal(leavesReceipt(decisionOf({ verdict: 'allow', audit: auditOf({ ruleIds: [] }) })), false)
  assert.ok(leavesReceipt(decisionOf({ verdict: 'allow', audit: auditOf({ ruleIds: [], redactions: ['email'] }) })), 'a pass that was looked at')
  assert.ok(leavesReceipt(decisionOf({ verdict: 'allow', audit: undefined, fault: new Fault('AGENT_TIMEOUT') })))
})

test('a receipt says who decided what by which rule, and what came of it', () => {
  const d = decisionOf({ audit: auditOf({ details: { payload_hash: 'abc', pathway: 'tool-output' } }), ticket: 't-1' })
  const entry = receipt(decided('/login?user=ann', d), d, 1, context)
  assert.deepEqual([entry['verdict'], entry['action'], entry['applied'], entry['agent'], entry['status']], ['block', 'answered', true, 'waf', 403])
  assert.deepEqual([entry['rule_ids'], entry['severity'], entry['payload_sha256'], entry['details']], [['942100'], 'critical', 'abc', { pathway: 'tool-output' }])
  assert.equal(entry['policy_version'], 'cfg-1')
  const failed = decisionOf({ verdict: 'failed', fault: new Fault('AGENT_TIMEOUT'), failureMode: 'closed', status: 0 })
  assert.equal(receipt(decided('/', failed), failed, 1, context)['action'], 'refused')
})

test('no header, query, body or secret path segment is in a receipt', () => {
  const d = decisionOf()
  const x = decided('/reset/eyJhbGciOiJIUzI1NiJ9aaaa/%27%20or%201=1?card=4111111111111111', d)
  x.request.headers.set('Cookie', 'session=hunter2')
  const text = canonicalJson(receipt(x, d, 1, context))
  for (const payload of ['hunter2', '4111', 'eyJ', 'or 1=1', '%27']) assert.ok(!text.includes(payload), payload)
  assert.equal(maskPath('/api/v1/users/42'), '/api/v1/users/42')
  assert.equal(maskPath('/a/<script>/b'), '/a/*/b')
})

test('whatever an agent says, a record is bounded, valid and reads back', () => {
  const long = '\u0000'.repeat(100_000)
  const many = Array.from({ length: 10_000 }, () => long)
  const details = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`k${i}${long}`, `${long}\ud800`]))
  const d = decisionOf({
    durationMs: NaN, configVersion: long, ticket: long,
    audit: { ruleIds: many, tags: many, reason: long, severity: 'low', confidence: Infinity, redactions: many, details },
  })
  const { line } = seal(receipt(decided(`/${'x'.repeat(50_000)}`, d), d, 1, context), GENESIS)
  assert.ok(line.length < 500_000)
  const read = readRecord(Buffer.from(line.slice(0, -1)))
  assert.ok(!('error' in read) && read.computed === read.hash && read.canonical)
})

test('canonical JSON sorts names by UTF-16 units and writes numbers as ECMAScript does (RFC 8785)', () => {
  // The sorting example of section 3.2.3 and numbers of appendix B.
  const odd = { '\u20ac': 'Euro Sign', '\r': 'Carriage Return', '\ufb33': 'Hebrew', '1': 'One', '\ud83d\ude00': 'Emoji', '\u0080': 'Control', 'ö': 'o' }
  assert.equal(canonicalJson(odd),
    '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"o","\u20ac":"Euro Sign","\ud83d\ude00":"Emoji","\ufb33":"Hebrew"}')
  assert.equal(canonicalJson(JSON.parse('[1e21, 1e-7, -0, 0.1, 333333333.33333329, 1e30, 4.5]')), '[1e+21,1e-7,0,0.1,333333333.3333333,1e+30,4.5]')
  assert.throws(() => canonicalJson(NaN))
})
