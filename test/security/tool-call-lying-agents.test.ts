// Agents that lie about tools and texts: what they say out of place is never applied.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Finding, ReplyOneOf } from '../../proto/codec/index.ts'
import { piiFilter, promptInjectionFilter, type GuardrailSettings } from '../../proxy/decisions/guardrails/index.ts'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { consult, ready, through } from '../support/consulted.ts'
import { allow, decision, everything, rawAgent } from '../support/raw-agent.ts'

const describe = { ...everything, events: ['request_headers', 'tool_call', 'tool_result', 'guardrail', 'complete'] as const }
const call = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{}}}'

function findings (list: readonly Partial<Finding>[], detected = true): ReplyOneOf {
  return { kind: 'findings', value: { detected, confidence: 1, audit: undefined, findings: list.map((one) => ({ category: 'email', confidence: 1, text: 0, start: 0, end: 0, ...one })) } }
}

test('what does not answer the question about a call is a bad reply', async (t) => {
  let reply: ReplyOneOf = allow
  const agent = await rawAgent(t, { describe, onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, event.kind === 'tool_call' ? reply : allow) } })
  const client = await ready(t, agent.path)
  const asked = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: call }
  assert.equal((await consult(client, asked)).status, 200)
  const replies: readonly ReplyOneOf[] = [
    findings([]), { kind: 'chunk', value: { kind: 'pass', value: {} } },
    decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('{"a":1,"a":2}') }), decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from([0x22, 0xff, 0x22]) }),
    decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('') }), decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('{}},"x":{') }),
    decision({ kind: 'block', value: { status: 200, headers: [], body: Buffer.alloc(0) } }),
  ]
  for (const one of replies) {
    reply = one
    const { status, upstream, x } = await consult(client, asked)
    assert.deepEqual([status, upstream, x.fault?.code], [503, undefined, 'AGENT_BAD_REPLY'], JSON.stringify(one))
  }
})

test('findings that are nowhere, and answers that are none, run into the failure mode', async (t) => {
  let reply: ReplyOneOf = allow
  const agent = await rawAgent(t, { describe, onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, reply) } })
  const client = await ready(t, agent.path)
  const settings: GuardrailSettings = {
    inspection: 'pii', client, agentId: 'raw', mode: 'enforce', action: 'redact', failureMode: 'closed', timeoutMs: 60_000, categories: [], blockStatus: 403, blockMessage: undefined,
    maxBytes: 1024 * 1024, bodyOver: 'block', observe () {},
  }
  const said = '{"content":[{"type":"text","text":"Grüße"}]}'
  const answer = () => ({ status: 200, headers: HeaderList.from({ 'Content-Type': 'application/json' }), body: bodyOf(Buffer.from(said)) })
  const bad: readonly ReplyOneOf[] = [
    allow, decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from('{}') }), findings([{ text: 1 }]), findings([{ start: 0, end: 8 }]), findings([{ start: 3, end: 3 }]), findings([{ start: 4, end: 3 }]),
    findings([{ start: 3, end: 5 }]), findings([{ start: 2, end: 3 }]), findings([{ category: '"}]' }]), findings([{ category: 'x\ny' }]),
  ]
  for (const one of bad) {
    reply = one
    const closed = await through([piiFilter(settings)], { upstream: answer })
    assert.deepEqual([closed.status, closed.x.fault?.code], [503, 'AGENT_BAD_REPLY'], JSON.stringify(one))
    const open = await through([piiFilter({ ...settings, failureMode: 'open' })], { upstream: answer })
    assert.deepEqual([open.status, open.body], [200, Buffer.from(said).toString('latin1')])
  }
  reply = findings([{ start: 0, end: 4 }, { start: 2, end: 6, category: 'other' }, { start: 6, end: 7, category: '' }])
  assert.equal((await through([piiFilter(settings)], { upstream: answer })).body, '{"content":[{"type":"text","text":"[email][redacted]"}]}')
  reply = findings([{ start: 0, end: 4 }], false)
  assert.equal((await through([piiFilter(settings)], { upstream: answer })).body, Buffer.from(said).toString('latin1'), 'what is not detected is not acted on')
})

test('an agent that dies while it is asked refuses', async (t) => {
  const agent = await rawAgent(t, { describe, onEvent: (event) => { if (event.kind === 'guardrail' || event.kind === 'tool_call') void agent.kill() } })
  const client = await ready(t, agent.path)
  const settings: GuardrailSettings = {
    inspection: 'prompt_injection', client, agentId: 'raw', mode: 'enforce', action: 'block', failureMode: 'closed', timeoutMs: 60_000, categories: [], blockStatus: 400, blockMessage: undefined,
    maxBytes: 1024, bodyOver: 'block', observe () {},
  }
  const asked = { method: 'POST', body: '{"prompt":"a"}' }
  const died = await through([promptInjectionFilter(settings)], asked)
  assert.deepEqual([died.status, died.upstream], [503, undefined])
  const gone = await through([promptInjectionFilter(settings)], asked)
  assert.deepEqual([gone.status, gone.x.fault?.code], [503, 'AGENT_NOT_CONNECTED'])
})
