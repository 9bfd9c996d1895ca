// Once it is decided what becomes of an exchange, nobody waits for what changes nothing: neither who asked, nor who holds a place in line.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { callPlaces, parallelFilter, type AgentClient, type FilterSettings } from '../../proxy/decisions/index.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { answering, block, pass, streaming, wants } from '../support/answering-agent.ts'
import { atOnce } from '../support/at-once.ts'
import { chunked, consult, ready, settings, through } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'

const gone = new Fault('CLIENT_GONE')

/** An agent whose only place is taken by a question that it does not answer; with the test that question is over. */
async function busy (t: TestContext): Promise<AgentClient> {
  const agent = await rawAgent(t, { onEvent () {} })
  const client = await ready(t, agent.path, { maxConcurrentCalls: 1, maxQueuedCalls: 1 })
  const ending = new EndSignal()
  const first = consult(client, { ending })
  await agent.seen(({ kind }) => kind === 'request_headers')
  t.after(() => {
    ending.end(gone)
    return first
  })
  return client
}

function stage (...members: ReadonlyArray<readonly [client: AgentClient, overrides?: Partial<FilterSettings>]>) {
  return parallelFilter('stage', members.map(([client, overrides], i) => ({ client, settings: { ...settings, ...overrides, agentId: `a${i}` } })))
}

const saying = (text: string) => (event: Event): boolean => event.kind === 'request_body' && event.value.data.toString() === text

test('a client that leaves keeps no place in the line before an agent', async (t) => {
  const client = await busy(t)
  for (let i = 0; i < 3; i++) {
    const ending = new EndSignal()
    const waiting = consult(client, { ending })
    await eventually('it waits', () => client.queued === 1)
    ending.end(gone)
    assert.equal((await atOnce(waiting)).x.fault, gone)
    assert.equal(client.queued, 0)
  }
  assert.equal(client.inFlight, 1)
})

test('nor in that of a filter', async (t) => {
  const { client } = await answering(t, () => false)
  const places = callPlaces(1)
  const endings = [new EndSignal(), new EndSignal()] as const
  const first = consult(client, { ending: endings[0] }, { places })
  const second = consult(client, { ending: endings[1] }, { places })
  await eventually('one waits', () => places.queued === 1)
  endings[1].end(gone)
  assert.equal((await atOnce(second)).x.fault, gone)
  assert.deepEqual([places.inFlight, places.queued], [1, 0])
  endings[0].end(gone)
  await first
  assert.equal(places.inFlight, 0)
})

test('a client that leaves does not wait for an agent to read', async (t) => {
  const agent = await rawAgent(t, { describe: { ...everything, events: ['request_body', 'complete'] }, onProcess (stream) { stream.respond({ ':status': 200, 'content-type': 'application/grpc' }) } })
  const client = await ready(t, agent.path)
  const ending = new EndSignal()
  const asked = consult(client, { method: 'POST', body: Buffer.alloc(6_000_000), ending }, { maxRequestBodyBytes: 8_000_000 })
  await eventually('its window is full', () => [...agent.sessions].some(({ socket }) => socket.bytesRead > 1024 * 1024))
  ending.end(gone)
  assert.equal((await atOnce(asked)).x.fault, gone)
  assert.equal(client.inFlight, 0)
})

test('nor for one that is away to come back', async (t) => {
  const agent = await rawAgent(t)
  const client = await ready(t, agent.path, { retry: { maxAttempts: 1_000, backoffMs: 60_000, maxBackoffMs: 60_000 } })
  await agent.kill()
  await eventually('it is away', () => client.state !== 'ready')
  const ending = new EndSignal()
  const asked = consult(client, { ending })
  await new Promise(setImmediate)
  ending.end(gone)
  assert.equal((await atOnce(asked)).x.fault, gone)
})

test('in a stage, who is there is asked at once, and who is away is not waited for once that has decided', async (t) => {
  const agent = await rawAgent(t)
  const away = await ready(t, agent.path, { retry: { maxAttempts: 1_000, backoffMs: 60_000, maxBackoffMs: 60_000 } })
  await agent.kill()
  await eventually('it is away', () => away.state !== 'ready')
  const { client } = await answering(t, () => block)
  for (const [members, told] of [[stage([client], [away]), ['a0']], [stage([away, { mode: 'monitor' }], [client]), ['a1']]] as const) {
    const { status, x } = await atOnce(through([members]))
    assert.deepEqual([status, x.decisions?.map(({ agent: name }) => name)], [403, told])
  }
  const ending = new EndSignal()
  const { client: allowing, agent: asked } = await answering(t, () => undefined)
  const waiting = through([stage([away], [allowing])], { ending })
  await asked.seen(({ kind }) => kind === 'request_headers')
  ending.end(gone)
  assert.equal((await atOnce(waiting)).x.fault, gone)
  await asked.seen(({ kind }) => kind === 'complete')
})

test('in a stage, who waits for a place is not waited for once another one has decided', async (t) => {
  const { client } = await answering(t, () => block)
  const taken = await busy(t)
  const { status, x } = await atOnce(through([stage([client], [taken])]))
  assert.deepEqual([status, x.decisions?.map(({ agent, verdict }) => [agent, verdict])], [403, [['a1', 'cancelled'], ['a0', 'block']]])
  assert.equal(taken.queued, 0)
})

test('nor is who decides nothing, wherever it stands', async (t) => {
  for (const mode of ['monitor', 'dry-run'] as const) {
    const { client: silent } = await answering(t, () => false)
    const { client } = await answering(t, () => block)
    assert.equal((await atOnce(through([stage([silent, { mode }], [client])]))).status, 403)
  }
})

test('a decision about a later piece does not wait for what cannot change it any more: who comes later in the file, and who only looks on, about the earlier one', async (t) => {
  const orders = [(deciding: AgentClient, silent: AgentClient) => stage([deciding], [silent]), (deciding: AgentClient, silent: AgentClient) => stage([silent, { mode: 'monitor' }], [deciding])]
  for (const order of orders) {
    const deciding = await answering(t, (event) => saying('second')(event) ? block : undefined, streaming)
    const silent = await answering(t, (event) => saying('first')(event) ? false : undefined, streaming)
    const { status, x } = await atOnce(through([order(deciding.client, silent.client)], { method: 'POST', body: chunked('first', 'second', 'third') }))
    assert.deepEqual([status, x.fault], [403, undefined])
    assert.deepEqual([silent.client.counters.protocolFaults, silent.client.inFlight], [{}, 0])
  }
})

const doneWith = (reply: ReplyOneOf) => ({ ...reply, value: { ...reply.value, wants: { ...wants, done: true } } }) as ReplyOneOf // Of a decision.

test('what an agent owes that is done is not waited for once nobody wants it', async (t) => {
  const owing = (reply: ReplyOneOf) => answering(t, (event) => saying('first')(event) ? false : saying('second')(event) ? reply : undefined, streaming)
  const body = () => chunked('first', 'second', 'third')
  const blocking = await owing(doneWith(block))
  assert.equal((await atOnce(consult(blocking.client, { method: 'POST', body: body() }))).status, 403)

  const { client, agent } = await owing(doneWith(allow))
  const ending = new EndSignal()
  const asked = consult(client, { method: 'POST', body: body(), ending })
  await agent.seen(saying('second'))
  await eventually('it is done', () => client.inFlight === 1)
  ending.end(gone)
  assert.equal((await atOnce(asked)).x.fault, gone)

  const other = await owing(doneWith(allow))
  const deciding = await answering(t, () => undefined, streaming)
  const late: Array<() => void> = []
  deciding.agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0) return
    const say = () => wire.reply(event, saying('third')(event) ? block : event.kind === 'request_body' ? pass : allow)
    if (saying('third')(event)) late.push(say)
    else say()
  }
  const staged = through([stage([deciding.client], [other.client])], { method: 'POST', body: body() })
  await eventually('one is done, and the other has something to decide', () => late.length === 1 && other.client.inFlight === 1)
  late[0]!()
  assert.equal((await atOnce(staged)).status, 403)
  for (const one of [blocking.client, client, other.client]) assert.deepEqual([one.inFlight, one.counters.failures['AGENT_TIMEOUT'], one.counters.protocolFaults], [0, undefined, {}])
})

test('who comes first in the file still decides about the earlier piece', async (t) => {
  let answerFirst = (): void => {}
  const agent = await rawAgent(t, { describe: streaming, onEvent (event, wire) {
    if (saying('first')(event)) answerFirst = () => wire.reply(event, { kind: 'decision', value: { ...(block as Extract<typeof block, { kind: 'decision' }>).value, kind: 'block', value: { status: 451, headers: [], body: Buffer.alloc(0) } } })
    else if (event.timeoutMs > 0) wire.reply(event, event.kind === 'request_body' ? pass : allow)
  } })
  const first = await ready(t, agent.path)
  const { client, agent: second } = await answering(t, (event) => saying('second')(event) ? block : undefined, streaming)
  const asked = through([stage([first], [client])], { method: 'POST', body: chunked('first', 'second', 'third') })
  await second.seen(saying('second'))
  await eventually('it has decided', () => client.inFlight === 0)
  answerFirst()
  assert.equal((await asked).status, 451)
})

test('an agent that looks at many bytes before it answers is sent more as soon as it gives credit', async (t) => {
  let bytes = 0
  const answers: Array<() => void> = []
  const agent = await rawAgent(t, { describe: streaming, onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    if (event.kind !== 'request_body') return wire.reply(event, allow)
    bytes += event.value.data.length
    answers.push(() => wire.reply(event, pass))
    if (event.value.end) for (const answer of answers) answer()
    else if (answers.length === 3) setImmediate(() => wire.reply(event, { kind: 'credit', value: { bytes: 1024 * 1024 } }))
  } })
  const client = await ready(t, agent.path)
  for (const filter of [stage([client]), stage([client], [(await answering(t, () => undefined, streaming)).client])]) {
    bytes = answers.length = 0
    const piece = 'x'.repeat(100 * 1024)
    const { status, upstream } = await atOnce(through([filter], { method: 'POST', body: chunked(piece, piece, piece, piece, piece) }))
    assert.deepEqual([status, upstream?.body.length, bytes], [200, 500 * 1024, 500 * 1024])
  }
})
