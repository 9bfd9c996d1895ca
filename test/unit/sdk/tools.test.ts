import assert from 'node:assert/strict'
import { test } from 'node:test'
import { block, defineAgent, redact, review, type AgentDefinition } from '../../../sdk/index.ts'
import { testAgent } from '../../../sdk/testing/index.ts'

async function run (handlers: Partial<AgentDefinition<Record<never, never>, undefined>>) {
  return testAgent(defineAgent({ name: 'tools', ...handlers }))
}

test('only what has a handler is described', async () => {
  assert.deepEqual((await run({})).description.events, ['request_headers', 'complete'])
  assert.deepEqual((await run({ onToolCall () {}, onToolResult () {}, onGuardrail () {} })).description.events, ['request_headers', 'tool_call', 'tool_result', 'guardrail', 'complete'])
})

test('a call has its facts, and its arguments when they are asked for', async () => {
  const seen: unknown[] = []
  const agent = await run({ onToolCall (call, request) { seen.push([call.tool, call.server, call.protocol, call.id, call.argumentsJson, call.arguments, request.path]) } })
  const exchange = await agent.request('POST', '/mcp')
  assert.equal((await exchange.toolCall({ tool: 'read', arguments: { path: '/a' }, id: '7', server: 'files' })).kind, 'allow')
  assert.equal((await exchange.toolCall({ tool: 'list' })).kind, 'allow')
  assert.deepEqual(seen, [['read', 'files', 'mcp', '7', '{"path":"/a"}', { path: '/a' }, '/mcp'], ['list', 'test', 'mcp', '1', '', {}, '/mcp']])
  await exchange.complete()
  assert.equal(agent.open, 0)
})

test('a call may be refused, reviewed and changed, a result as well', async () => {
  const agent = await run({
    onToolCall: ({ tool }) => tool === 'rm' ? block() : tool === 'pay' ? review('T-1') : redact({ replaceBody: '{"a":2}' }),
    onToolResult: ({ isError, result }) => isError ? block(502, { body: 'no' }) : redact({ replaceBody: JSON.stringify({ was: result }) }),
  })
  const exchange = await agent.request('POST', '/')
  const refused = await exchange.toolCall({ tool: 'rm' })
  assert.deepEqual([refused.kind, refused.status, refused.body], ['block', 403, ''])
  assert.equal((await exchange.toolCall({ tool: 'pay' })).ticket, 'T-1')
  assert.equal((await exchange.toolCall({ tool: 'read' })).passedBody, '{"a":2}')
  assert.deepEqual([(await exchange.toolResult({ result: null, isError: true })).status, (await exchange.toolResult({ result: [1] })).passedBody], [502, '{"was":[1]}'])
})

test('the status of a block is only said when the agent said one', async () => {
  const agent = await run({ onToolCall: ({ tool }) => tool === 'a' ? block() : block(403) })
  const exchange = await agent.request('POST', '/')
  await exchange.toolCall({ tool: 'a' })
  await exchange.toolCall({ tool: 'b' })
  const statuses = exchange.replies.flatMap((reply) => reply.kind === 'decision' && reply.value.kind === 'block' ? [reply.value.value.status] : [])
  assert.deepEqual(statuses, [0, 403])
})

test('a handler of tools that throws or returns nonsense is an error, never an allow', async () => {
  const agent = await run({ onToolCall: ({ tool }) => { if (tool === 'a') throw new Error('no'); return true as never } })
  const exchange = await agent.request('POST', '/')
  assert.equal((await exchange.toolCall({ tool: 'a' })).error?.message, 'no')
  assert.equal((await exchange.toolCall({ tool: 'b' })).error?.code, 'bad_answer')
})

test('findings: places in characters become places in bytes', async () => {
  const agent = await run({
    onGuardrail: ({ inspection, texts, categories, model }) => ({
      findings: [{ category: `${inspection} ${categories.join()} ${model}`, text: 1, start: 4, end: 7, confidence: 0.5 }, { category: texts[0]!.role }],
      audit: { ruleIds: ['r'] },
    }),
  })
  const exchange = await agent.request('POST', '/')
  const found = await exchange.guardrail({ inspection: 'pii', texts: ['a', { role: 'assistant', text: 'Grüß abc' }], categories: ['x'], model: 'm' })
  assert.deepEqual([found.detected, found.confidence, found.audit?.ruleIds], [true, 1, ['r']])
  assert.deepEqual(found.findings, [
    { category: 'pii x m', confidence: 0.5, text: 1, start: 6, end: 9 }, { category: 'user', confidence: 1, text: 0, start: 0, end: 0 },
  ])
})

test('findings: nothing is nothing found, nonsense is an error', async () => {
  const given: unknown[] = [undefined, { detected: false }, { findings: [] }, true, {}, { findings: [{ category: 'a', text: 3 }] }, { findings: [{ category: 'a', start: 2, end: 1 }] }, { findings: [{ category: 'a', start: 0, end: 9 }] }]
  const agent = await run({ onGuardrail: () => given.shift() as never })
  const exchange = await agent.request('POST', '/')
  const ask = () => exchange.guardrail({ inspection: 'prompt_injection', texts: ['abc'] })
  for (let i = 0; i < 3; i++) assert.equal((await ask()).detected, false)
  while (given.length > 0) await assert.rejects(ask(), /bad_answer/)
})
