// An agent that says something wrong about a message has said nothing: the failure mode counts. What is right goes through byte for byte.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test, type TestContext } from 'node:test'
import type { WebSocket } from 'ws'
import { emptyDecision, emptyMessageAnswer, type Event, type MessageAnswer, type ReplyOneOf } from '../../proto/codec/index.ts'
import { agentFilter, type AgentClient, type FilterSettings } from '../../proxy/decisions/index.ts'
import type { DecisionRecord } from '../../proxy/pipeline/exchange.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { inspection } from '../../proxy/websocket/inspect/index.ts'
import { ready, settings } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { openEnds, type Ends } from '../support/inspected.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { allow, everything, rawAgent, type RawAgent, type Wire } from '../support/raw-agent.ts'
import { webSocketServer } from '../support/websocket.ts'

type MessageEvent = Extract<Event, { kind: 'websocket_message' }>
type OnMessage = (event: MessageEvent, wire: Wire) => void

interface Rig extends Ends {
  readonly proxy: TestProxy
  readonly agent: RawAgent
  readonly counters: AgentClient['counters']
}

async function rig (t: TestContext, onMessage: OnMessage, overrides: Partial<FilterSettings> = {}, maxMessageBytes = 4 * 1024 * 1024): Promise<Rig> {
  const agent = await rawAgent(t, { describe: { ...everything, events: ['request_headers', 'websocket_message', 'complete'] } })
  agent.script.onEvent = (event, wire) => {
    if (event.kind === 'websocket_message') onMessage(event, wire)
    else if (event.timeoutMs > 0) wire.reply(event, allow)
  }
  const client = await ready(t, agent.path)
  const watch = { idleMs: 60_000, pingIntervalMs: undefined, pingTimeoutMs: 10_000, maxMessageBytes, maxConnections: Infinity, maxConnectionsPerIp: Infinity, inspection }
  const { server, port } = await webSocketServer(t)
  const filters = [webSocketFilter(watch, new Places()), agentFilter(client, { ...settings, timeoutMs: 20_000, maxTimeoutMs: 20_000, ...overrides })]
  const proxy = await startProxy(t, { targets: [port], upgrades: true, filters })
  return { proxy, agent, counters: client.counters, ...await openEnds(t, server, proxy.port, { perMessageDeflate: false }) }
}

function answer (value: Partial<MessageAnswer>): ReplyOneOf {
  // Both halves of the union come from one of its members.
  return { kind: 'message', value: { ...emptyMessageAnswer, ...value } as MessageAnswer }
}

describe('wrong is', () => {
  const wrong: Readonly<Record<string, ReplyOneOf>> = {
    'a kind that nobody knows': answer({ kind: undefined, value: undefined }),
    'a close with a code that no frame may have': answer({ kind: 'close', value: { code: 1006, reason: '' } }),
    'a close with a reason that is too long': answer({ kind: 'close', value: { code: 1000, reason: 'x'.repeat(124) } }),
    'a text that is none': answer({ kind: 'replace', value: { binary: false, data: Buffer.from([0xff]) } }),
    'an answer for a chunk': { kind: 'chunk', value: { kind: 'pass', value: {} } },
    'an attribute with a name that is none': answer({ kind: 'allow', value: {}, attributes: new Map([['a b', 'x']]) }),
    'edits of a request that has left': { kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {}, requestHeaders: [{ action: 'set', name: 'x-a', value: '1' }] } },
    'edits of a response that has left': { kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {}, responseHeaders: [{ action: 'set', name: 'x-a', value: '1' }] } },
    'a body that is wanted late': answer({ kind: 'allow', value: {}, wants: { done: false, requestBody: { kind: 'buffer', maxBytes: 0, over: 'block' }, responseHeaders: false, responseBody: undefined } }),
  }
  for (const [what, reply] of Object.entries(wrong)) {
    test(`${what}: closed with 1011, or passed where the failure mode is open`, async (t) => {
      const closed = await rig(t, (event, wire) => wire.reply(event, reply))
      closed.client.send('hello')
      assert.deepEqual(await Promise.all([closed.clientClosed, closed.thereClosed]), ['1011', '1011'])
      assert.deepEqual(closed.thereGot, [])
      assert.equal((await closed.proxy.exchange(1)).fault?.code, 'AGENT_BAD_REPLY')
      const open = await rig(t, (event, wire) => wire.reply(event, reply), { failureMode: 'open' })
      open.client.send('hello')
      await eventually('it passes', () => open.thereGot.length === 1)
    })
  }
})

test('an answer for a message where something else was asked about is none', async (t) => {
  const agent = await rawAgent(t, { describe: everything })
  agent.script.onEvent = (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, answer({ kind: 'allow', value: {} })) }
  const faults: string[] = []
  const client = await ready(t, agent.path, { onProtocolFault: (kind) => faults.push(kind) })
  const { port } = await webSocketServer(t)
  const proxy = await startProxy(t, { targets: [port], filters: [agentFilter(client, settings)] })
  const response = await fetch(`http://127.0.0.1:${proxy.port}/`)
  assert.deepEqual([response.status, faults], [503, ['wrong_phase']])
})

test('an agent that has forgotten a WebSocket is told of it anew, where its failure mode lets messages pass', async (t) => {
  let forgets = true
  const { client, thereGot, agent } = await rig(t, (event, wire) => {
    if (!forgets) return wire.reply(event, answer({ kind: 'drop', value: {} }))
    forgets = false
    wire.reply(event, { kind: 'error', value: { code: 'worker_crashed', message: 'gone', retryable: false } })
  }, { failureMode: 'open' })
  client.send('passes')
  client.send('is dropped')
  await agent.seen((event) => event.exchange === 2 && event.kind === 'websocket_message')
  assert.deepEqual(agent.events.map(({ exchange, kind }) => `${exchange} ${String(kind)}`), [
    '1 request_headers', '1 websocket_message', '1 complete', '2 request_headers', '2 websocket_message',
  ])
  client.close(1000)
  await agent.seen((event) => event.exchange === 2 && event.kind === 'complete')
  assert.deepEqual(thereGot, ['passes'])
})

test('a late answer for one message changes nothing for the next', async (t) => {
  const waiting: Array<() => void> = []
  const { client, thereGot } = await rig(t, (event, wire) => {
    if (event.value.data.toString() === 'slow') waiting.push(() => wire.reply(event, answer({ kind: 'drop', value: {} })))
    else wire.reply(event, answer({ kind: 'allow', value: {} }))
  }, { failureMode: 'open', timeoutMs: 200, maxTimeoutMs: 200 })
  client.send('slow')
  client.send('next')
  await eventually('both pass', () => thereGot.length === 2)
  for (const late of waiting) late()
  client.send('last')
  await eventually('it passes', () => thereGot.length === 3)
})

/** Asks about "one" of the client, and then about "two" of the server while that is unanswered. */
async function bothAsked ({ client, there, agent }: Rig): Promise<void> {
  client.send('one')
  await agent.seen(saying('one'))
  there.send('two')
}

const saying = (text: string) => (event: Event): boolean => event.kind === 'websocket_message' && event.value.data.toString() === text
const isDone = { done: true, requestBody: undefined, responseHeaders: false, responseBody: undefined }
const doneWords: Readonly<Record<string, ReplyOneOf>> = {
  'an answer for a message': answer({ kind: 'allow', value: {}, wants: isDone }),
  'a decision': { kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {}, wants: isDone } },
}

for (const [what, done] of Object.entries(doneWords)) {
  test(`a message that was on its way to an agent that says in ${what} that it is done passes, and is no failure of it`, async (t) => {
    let first: MessageEvent | undefined
    const ends = await rig(t, (event, wire) => {
      first ??= event
      if (event !== first) wire.reply(first, done)
    })
    await bothAsked(ends)
    await eventually('both pass', () => ends.thereGot.length === 1 && ends.clientGot.length === 1)
    assert.deepEqual(ends.counters.failures, {})
  })

  test(`a message that an agent owed when it said in ${what} that it is done does not pass unjudged`, async (t) => {
    const ends = await rig(t, (event, wire) => { if (saying('two')(event)) wire.reply(event, done) }, { timeoutMs: 1_000, maxTimeoutMs: 1_000 })
    await bothAsked(ends)
    assert.deepEqual(await Promise.all([ends.clientClosed, ends.thereClosed]), ['1011', '1011'])
    assert.deepEqual([ends.thereGot, ends.clientGot], [[], ['two']])
    assert.equal((await ends.proxy.exchange(1)).fault?.code, 'AGENT_TIMEOUT')
  })
}

test('a long message comes in pieces, of which the last is answered; both directions at once', async (t) => {
  const pieces: Record<string, Buffer[]> = { true: [], false: [] }
  const asked: boolean[] = []
  const { client, there, thereGot, clientGot } = await rig(t, (event, wire) => {
    const { data, fromClient, partial } = event.value
    pieces[String(fromClient)]!.push(data)
    assert.equal(event.timeoutMs > 0, !partial)
    if (partial) return
    asked.push(fromClient)
    const whole = Buffer.concat(pieces[String(fromClient)]!)
    wire.reply(event, answer({ kind: 'replace', value: { binary: false, data: Buffer.from(`${whole.length} ${whole.every((octet) => octet === 0x78)}`) } }))
  })
  client.send('x'.repeat(3_000_000))
  there.send('x'.repeat(2_000_000))
  await eventually('both pass', () => thereGot.length === 1 && clientGot.length === 1)
  assert.deepEqual([thereGot, clientGot, asked.length], [['3000000 true'], ['2000000 true'], 2])
  assert.ok(pieces['true']!.length >= 11)
})

test('the agent is told the whole of the exchange: its head, its messages, its end with bytes, in one order', async (t) => {
  const { client, there, agent, thereGot, proxy } = await rig(t, (event, wire) => wire.reply(event, answer({ kind: 'allow', value: {} })))
  client.send('one')
  await eventually('it passes', () => thereGot.length === 1)
  there.close(1000)
  await once(client as WebSocket, 'close')
  const x = await proxy.exchange(1)
  const complete = await agent.seen(({ kind }) => kind === 'complete')
  assert.deepEqual(agent.events.map(({ kind, sequence }) => `${sequence} ${String(kind)}`), ['1 request_headers', '2 websocket_message', '3 complete'])
  assert.ok(complete.kind === 'complete')
  assert.deepEqual([complete.value.status, complete.value.requestBodyBytes, complete.value.responseBodyBytes], [101, x.requestBytes, x.responseBytes])
  assert.ok(x.requestBytes > 9 && x.responseBytes > 0)
})

test('of a WebSocket that is open for long a hundred decisions are kept until its end, and all others told at once', async (t) => {
  let said = 0
  const told: DecisionRecord[] = []
  const { client, thereGot, proxy } = await rig(t, (event, wire) => {
    wire.reply(event, ++said % 2 === 0 ? { kind: 'error', value: { code: 'x', message: '', retryable: false } } : answer({ kind: 'drop', value: {} }))
  }, { failureMode: 'open', recordLate: (_, record) => told.push(record) })
  for (let i = 0; i < 1_000; i++) client.send('hello')
  await eventually('all are judged', () => said === 1_000 && thereGot.length === 500)
  client.close(1000)
  const x = await proxy.exchange(1)
  // One is about the head of the request.
  assert.deepEqual([x.decisions!.length, told.length, told.filter(({ verdict }) => verdict === 'drop').length], [101, 900, 450])
})
