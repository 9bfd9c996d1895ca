import { strict as assert } from 'node:assert'
import { describe, test } from 'node:test'
import { allow, block, close, defineAgent, drop, flag, hold, pass, redact, replace, review, type AgentDefinition } from '../../../sdk/index.ts'
import { testAgent } from '../../../sdk/testing/index.ts'

type Handler = NonNullable<AgentDefinition<Record<never, never>, undefined>['onWebSocketMessage']>

async function opened (onWebSocketMessage: Handler, more: Partial<AgentDefinition<Record<never, never>, undefined>> = {}) {
  const agent = await testAgent(defineAgent({ name: 'chat', onWebSocketMessage, ...more }))
  return { agent, exchange: await agent.request('GET', '/chat', { headers: { upgrade: 'websocket' }, attributes: { user: 'bob' } }) }
}

test('an agent with the handler asks for the event, and its exchange stays open', async () => {
  const { agent, exchange } = await opened(() => undefined)
  assert.deepEqual(agent.description.events, ['request_headers', 'websocket_message', 'complete'])
  assert.equal(agent.open, 1)
  await exchange.complete()
  assert.equal(agent.open, 0)
})

test('a message has its direction, its text and its bytes; a rule about text sees bytes, too', async () => {
  const seen: unknown[] = []
  const { exchange } = await opened((message, request, context) => {
    seen.push([message.direction, message.fromClient, message.binary, message.text, message.data.length, request.path, context.attributes.get('user')])
  })
  assert.deepEqual(await exchange.message('hällo'), await exchange.message('hällo'))
  await exchange.message(Buffer.from('ab\xff', 'latin1'), { from: 'upstream' })
  assert.deepEqual(seen.slice(1), [['from-client', true, false, 'hällo', 6, '/chat', 'bob'], ['from-upstream', false, true, 'ab\ufffd', 3, '/chat', 'bob']])
})

describe('what a handler returns', () => {
  const rows: ReadonlyArray<readonly [string, () => ReturnType<Handler>, object]> = [
    ['nothing', () => undefined, { kind: 'allow', passed: 'said' }],
    ['allow', () => allow(), { kind: 'allow', passed: 'said' }],
    ['pass', () => pass(), { kind: 'allow', passed: 'said' }],
    ['flag', () => flag(), { kind: 'allow', passed: 'said' }],
    ['drop', () => drop(), { kind: 'drop', passed: undefined }],
    ['replace with text', () => replace('other'), { kind: 'replace', passed: 'other', binary: false }],
    ['replace with bytes', () => replace(Buffer.from('other')), { kind: 'replace', passed: 'other', binary: true }],
    ['redact', () => redact({ replaceBody: 'other' }), { kind: 'replace', passed: 'other', binary: false }],
    ['close', () => close(4001, 'bye'), { kind: 'close', passed: undefined, code: 4001, reason: 'bye' }],
    ['close without more', () => close(), { kind: 'close', code: 1008, reason: '' }],
    ['block', () => block(401), { kind: 'close', code: 1008 }],
    ['review', () => review(), { kind: 'close', code: 1008 }],
    ['hold', () => hold(), { kind: 'error', passed: undefined }],
    ['something else', () => ({ status: 403 }) as never, { kind: 'error' }],
  ]
  for (const [what, answer, wanted] of rows) {
    test(what, async () => {
      const { exchange } = await opened(() => answer())
      const verdict = await exchange.message('said')
      assert.deepEqual(Object.fromEntries(Object.keys(wanted).map((key) => [key, verdict[key as keyof typeof verdict]])), wanted)
    })
  }

  test('carries attributes and audit', async () => {
    const { exchange } = await opened((message, _request, context) => {
      context.attributes.set('seen', 'yes')
      if (message.text === 'drop') return drop().with({ attributes: { spam: '1' }, audit: { reason: 'spam' } })
      return message.text === 'close' ? close(1000, '', { audit: { ruleIds: ['r'] } }) : allow({ audit: { tags: ['t'] } })
    })
    const dropped = await exchange.message('drop')
    assert.deepEqual([dropped.attributes, dropped.audit.reason], [{ seen: 'yes', spam: '1' }, 'spam'])
    assert.deepEqual((await exchange.message('close')).audit.ruleIds, ['r'])
    assert.deepEqual((await exchange.message('x')).audit.tags, ['t'])
  })

  test('is refused where it cannot work', async () => {
    for (const code of [0, 999, 1004, 1005, 1006, 1015, 2000, 5000, 1.5]) assert.throws(() => close(code), RangeError, String(code))
    assert.throws(() => close(1000, 'ä'.repeat(62)), RangeError)
    assert.equal(close(1000, 'a'.repeat(123)).reason.length, 123)
    // What goes with a message does not go with a piece of a body.
    const agent = await testAgent(defineAgent({ name: 'bodies', onRequestChunk: () => drop().with({ audit: { reason: 'x' } }) }))
    const verdict = await agent.request('POST', '/', { body: 'x' })
    assert.equal(verdict.error?.code, 'bad_answer')
  })
})

test('messages of one direction come one after the other, the other direction does not wait', async () => {
  const order: string[] = []
  let release: () => void = () => {}
  const held = new Promise<void>((resolve) => { release = resolve })
  const { exchange } = await opened(async (message) => {
    order.push(`begin ${message.text}`)
    if (message.text === 'slow') await held
    order.push(`end ${message.text}`)
  })
  const slow = exchange.message('slow')
  const next = exchange.message('next')
  await exchange.message('other way', { from: 'upstream' })
  assert.deepEqual(order, ['begin slow', 'begin other way', 'end other way'])
  release()
  await Promise.all([slow, next])
  assert.deepEqual(order.slice(3), ['end slow', 'begin next', 'end next'])
})

test('a handler that fails is an error for its message alone, and one that asks for time asks for its own', async () => {
  const { exchange } = await opened((message, _request, context) => {
    if (message.text === 'throw') throw new Error('no')
    if (message.text === 'time') context.moreTime(500)
    assert.ok(context.deadlineMs > 0 && context.deadlineMs <= 5_000)
  })
  assert.equal((await exchange.message('throw')).error?.message, 'no')
  assert.equal((await exchange.message('time')).kind, 'allow')
  assert.deepEqual(exchange.replies.filter(({ kind }) => kind === 'more_time').length, 1)
  assert.equal((await exchange.message('x')).kind, 'allow')
})

test('who is done hears no more of the exchange', async () => {
  const { agent, exchange } = await opened((message) => { message.done() }, { onComplete () { assert.fail('not even its end') } })
  assert.equal((await exchange.message('x')).done, true)
  assert.equal(agent.open, 0)
  assert.equal((await exchange.message('y')).error?.code, 'unknown_exchange')
})

test('the signal of a handler is aborted when the exchange ends or is cancelled', async () => {
  for (const end of ['complete', 'cancel'] as const) {
    const { agent, exchange } = await opened((_message, _request, context) => new Promise((resolve) => context.signal.addEventListener('abort', () => resolve(undefined))))
    const waiting = exchange.message('x', {}).catch((error: unknown) => String(error))
    await new Promise(setImmediate)
    if (end === 'cancel') exchange.cancel()
    await exchange.complete()
    assert.equal(agent.open, 0)
    if (end === 'cancel') assert.match(String(await waiting), /cancelled/)
  }
})

test('a message of a wrong kind is refused by an agent that did not ask for it', async () => {
  const agent = await testAgent(defineAgent({ name: 'none', onComplete () {} }))
  const exchange = await agent.request('GET', '/')
  await assert.rejects(exchange.message('x'), /does not ask for websocket_message/)
})

test('a message of a client that is not JSON closes the WebSocket, one of an upstream is an error', async () => {
  const agent = await testAgent(defineAgent({ name: 'test', onWebSocketMessage (message) { message.json() } }))
  const exchange = await agent.request('GET', '/')
  assert.equal((await exchange.message('{"a":1}')).kind, 'allow')
  const client = await exchange.message('{"a":')
  assert.deepEqual([client.kind, client.code, client.audit.reason], ['close', 1007, 'invalid_body'])
  const upstream = await exchange.message('{"a":', { from: 'upstream' })
  assert.deepEqual([upstream.kind, upstream.error?.code], ['error', 'agent_error'])
})

test('a handler of messages can take everything out of its context', async () => {
  const agent = await testAgent(defineAgent({
    name: 'test',
    async onWebSocketMessage (message, _request, { store, moreTime, waitUntil }) {
      moreTime(1000)
      const count = await store.increment('messages')
      waitUntil(() => store.set('last', `${count} ${message.text}`))
    },
  }))
  const exchange = await agent.request('GET', '/')
  await exchange.message('a')
  await exchange.message('b')
  await agent.settled()
  assert.equal(await agent.store.get('last'), '2 b')
})
