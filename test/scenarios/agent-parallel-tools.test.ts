// Calls of tools in a parallel stage: they go from one agent to the next in the order of the file, and whoever refuses decides for all.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { decision, everything, type RawAgent } from '../support/raw-agent.ts'
import { startWithRawAgents, type RawMember } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { block, cancelOf, inParallel } from '../support/staged.ts'
import { json } from '../support/tooled-agent.ts'

const describe = { ...everything, events: ['tool_call', 'tool_result', 'complete'] as const }
const call = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'remove', arguments: { path: '/tmp/a' } } }
const result = { jsonrpc: '2.0', id: 7, result: { content: [{ type: 'text', text: 'secret' }] } }
const other = (value: unknown): ReplyOneOf => decision({ kind: 'redact', value: {} }, { replaceBody: Buffer.from(JSON.stringify(value)) })
const refused = decision({ kind: 'block', value: { status: 0, headers: [], body: Buffer.alloc(0) } })

/** What it says of calls, and of results. */
const says = (ofCalls: ReplyOneOf | undefined, ofResults?: ReplyOneOf): RawMember => ({
  describe,
  answer: ({ kind }) => kind === 'tool_call' ? ofCalls : kind === 'tool_result' ? ofResults : undefined,
})

async function site (t: TestContext, first: RawMember, second: RawMember, asEvents = false) {
  const upstream = await startRecordingUpstream(t, (_, response) => {
    if (!asEvents) return json(response, result)
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.end(`: hello\n\ndata: ${JSON.stringify(result)}\n\n`)
  })
  const { sentinel, agents } = await startWithRawAgents(t, { first, second }, { ...inParallel('first', 'second'), upstream })
  const post = () => sentinel.request('/mcp', { method: 'POST', body: JSON.stringify(call), headers: { 'content-type': 'application/json' } })
  return { upstream, agents, post, sentinel }
}

const shown = (agent: RawAgent, kind: Event['kind']): string[] => agent.events.flatMap((event) => event.kind === kind
  && (event.kind === 'tool_call' || event.kind === 'tool_result') ? [(event.kind === 'tool_call' ? event.value.argumentsJson : event.value.resultJson).toString()] : [])

test('what one makes of a call is what the next is asked about, and both ways', async (t) => {
  const { upstream, agents, post } = await site(t, says(other({ path: '/tmp/b' }), other({ content: ['one'] })), says(other({ path: '/tmp/c' }), other({ content: ['two'] })))
  const { status, text } = await post()
  assert.equal(status, 200)
  assert.deepEqual(shown(agents.first, 'tool_call'), ['{"path":"/tmp/a"}'])
  assert.deepEqual(shown(agents.second, 'tool_call'), ['{"path":"/tmp/b"}'])
  const sent = JSON.parse(upstream.requests[0]!.body.toString()) as typeof call
  assert.deepEqual(sent.params.arguments, { path: '/tmp/c' })
  assert.deepEqual(shown(agents.second, 'tool_result'), ['{"content":["one"]}'])
  assert.deepEqual((JSON.parse(text) as typeof result).result, { content: ['two'] })
})

for (const refuses of ['first', 'second'] as const) {
  test(`a call that the ${refuses} refuses reaches nobody, and the other is told to stop`, async (t) => {
    const { upstream, agents, post } = await site(t, says(refuses === 'first' ? refused : undefined), says(refuses === 'second' ? refused : undefined))
    const { status, text } = await post()
    assert.equal(status, 200)
    assert.match(text, /"id":7,"error"/)
    assert.equal(upstream.requests.length, 0)
    assert.equal(shown(agents.second, 'tool_call').length, refuses === 'first' ? 0 : 1)
    const [one, another] = refuses === 'first' ? [agents.first, agents.second] : [agents.second, agents.first]
    assert.equal(await cancelOf(another), 'decided')
    await another.seen(({ kind }) => kind === 'complete')
    await one.seen(({ kind }) => kind === 'complete')
  })
}

test('an agent that fails about a call fails in its place: the next is not asked, and nothing is sent', async (t) => {
  const { upstream, agents, post } = await site(t, says({ kind: 'error', value: { code: 'x', message: 'y', retryable: false } }), says(undefined))
  assert.equal((await post()).status, 503)
  assert.equal(upstream.requests.length, 0)
  assert.deepEqual(shown(agents.second, 'tool_call'), [])
  await agents.second.seen(({ kind }) => kind === 'complete')
})

test('an answer that one of them gives itself takes the place of the upstream\'s', async (t) => {
  const { agents, post } = await site(t, says(undefined, undefined), says(undefined, block(451)))
  const { status, text } = await post()
  assert.equal(status, 451)
  assert.equal(text, '451')
  assert.equal(shown(agents.first, 'tool_result').length, 1)
})

test('in event streams: nothing of a result that one of them refuses reaches the client, whatever the other says', async (t) => {
  for (const [first, second] of [[refused, undefined], [undefined, refused]] as const) {
    const { post } = await site(t, says(undefined, first), says(undefined, second), true)
    const { status, text } = await post()
    assert.equal(status, 200)
    assert.match(text, /^: hello\n\n/)
    assert.doesNotMatch(text, /secret/)
    assert.match(text, /"id":7,"error"/)
  }
})
