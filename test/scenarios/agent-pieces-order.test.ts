// Pieces of a body that are with the agent at the same time: what becomes of one says nothing about those before it.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Event, ReplyOneOf } from '../../proto/codec/index.ts'
import { agentFilter, parallelFilter, type AgentClient } from '../../proxy/decisions/index.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import type { Filter, Reply } from '../../proxy/pipeline/exchange.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { answering, block, chunk, slowBody, streaming, wants } from '../support/answering-agent.ts'
import { atOnce } from '../support/at-once.ts'
import { chunked, consult, ready, settings, through } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { allow, decision, rawAgent, type RawAgent, type Script } from '../support/raw-agent.ts'

const failure: ReplyOneOf = { kind: 'error', value: { code: 'x', message: 'y', retryable: false } }

const answersToTheSecond: Record<string, readonly [ReplyOneOf, status: number]> = {
  'fails': [failure, 503],
  'is answered with something of an unknown kind': [chunk({ kind: undefined, value: undefined }), 503],
  'ends the exchange': [block, 403],
  'is answered out of phase': [decision({ kind: 'allow', value: {} }, { rewritePath: '/other' }), 503],
}

for (const [what, [reply, status]] of Object.entries(answersToTheSecond)) {
  for (const failureMode of ['closed', 'open'] as const) {
    test(`a piece that nobody has judged does not pass because the next one ${what}: ${failureMode}`, async (t) => {
      const { client } = await answering(t, (event) => textOf(event) === 'first' ? false : textOf(event) === 'second' ? reply : undefined, streaming)
      const { upstream, ...outcome } = await atOnce(consult(client, { method: 'POST', body: chunked('first', 'second', 'third') }, { failureMode }))
      assert.equal(upstream?.body, '')
      assert.equal(outcome.status, status)
    })
  }
}

const done = decision({ kind: 'allow', value: {} }, { wants: { ...wants, done: true } })

test('an agent that is done with a body owes what it was asked before', async (t) => {
  const { client } = await answering(t, (event) => textOf(event) === 'first' ? false : textOf(event) === 'second' ? done : undefined, streaming)
  const { upstream, x } = await consult(client, { method: 'POST', body: chunked('first', 'second', 'third') }, { timeoutMs: 1_000 })
  assert.equal(upstream?.body, '')
  assert.equal(x.fault?.code, 'AGENT_TIMEOUT')
})

test('pieces that are on their way to an agent that is done pass, whatever it says of them, and are no failures of it', async (t) => {
  const { client } = await answering(t, (event) => textOf(event) === 'first' ? done : textOf(event) === 'second' ? failure : textOf(event) === 'third' ? false : undefined, streaming)
  const { upstream, x } = await atOnce(consult(client, { method: 'POST', body: chunked('first', 'second', 'third') }))
  assert.equal(upstream?.body, 'firstsecondthird')
  assert.equal(x.fault, undefined)
  assert.deepEqual(client.counters.failures, {})
})

test('in parallel as well: pieces that one of several has not judged stay where they are', async (t) => {
  const silentOnFirst = await answering(t, (event) => textOf(event) === 'first' ? false : textOf(event) === 'second' ? failure : undefined, streaming)
  const { client } = await answering(t, () => undefined, streaming)
  const stage = parallelFilter('stage', [silentOnFirst.client, client].map((one, i) => ({ client: one, settings: { ...settings, agentId: `a${i}` } })))
  const { upstream, status } = await through([stage], { method: 'POST', body: chunked('first', 'second', 'third') })
  assert.equal(upstream?.body, '')
  assert.equal(status, 503)
})

test('an agent that fails about the answer lets nothing more of the request go on', async (t) => {
  const describe = { ...streaming, events: ['request_headers', 'request_body', 'response_headers', 'complete'] as const }
  const { client, agent } = await answering(t, (event) => textOf(event) === 'late' ? false : event.kind === 'response_headers' ? failure : undefined, describe)
  const { body, send } = slowBody()
  let rest: Promise<Buffer | undefined> | undefined
  const answersEarly: Filter = {
    name: 'early',
    async onRequest ({ requestBody }) {
      send(Buffer.from('now'))
      await requestBody!.read()
      rest = Promise.resolve(requestBody!.read())
      rest.catch(() => {})
      send(Buffer.from('late'))
      await agent.seen((event) => textOf(event) === 'late')
      return { status: 200, headers: new HeaderList(), body: undefined }
    },
  }
  assert.equal((await through([agentFilter(client, settings), answersEarly], { method: 'POST', body })).status, 503)
  await assert.rejects(rest!)
})

const endings: Readonly<Record<string, readonly [ReplyOneOf, number]>> = { 'blocks': [block, 403], 'fails about': [failure, 503] }
const steps: Readonly<Record<string, (client: AgentClient, mode: 'closed' | 'open') => Filter>> = {
  'alone': (client, failureMode) => agentFilter(client, { ...settings, failureMode }),
  'in a stage': (client, failureMode) => parallelFilter('stage', [{ client, settings: { ...settings, failureMode } }]),
}

for (const [what, [reply, status]] of Object.entries(endings)) {
  for (const [where, step] of Object.entries(steps)) {
    for (const mode of ['closed', 'open'] as const) {
      const stopped = mode === 'closed' || reply === block
      test(`an answer that came before the agent ${what} a piece of the request ${stopped ? 'does not pass unseen' : 'passes'}: ${where}, ${mode}`, async (t) => {
        const agent = await lateAgent(t, { ...streaming, events: ['request_headers', 'request_body', 'response_headers', 'complete'] }, reply)
        const { body, send } = slowBody()
        send(Buffer.from('now'))
        const early: Filter = {
          ...answersEarly(agent, send, () => ({ status: 200, headers: new HeaderList(), body: undefined })),
          async onResponse () {
            await agent.answer()
            return undefined
          },
        }
        assert.equal((await through([step(agent.client, mode), early], { method: 'POST', body })).status, stopped ? status : 200)
      })
    }
  }
}

test('the same while others in a stage are asked about the head of that answer', async (t) => {
  const pieces = await lateAgent(t, { ...streaming, events: ['request_body', 'response_body', 'complete'] }, block)
  const heads = await rawAgent(t, { describe: { events: ['response_headers', 'complete'] }, async onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    await pieces.answer()
    wire.reply(event, allow)
  } })
  const { body, send } = slowBody()
  send(Buffer.from('now'))
  const early = answersEarly(pieces, send, () => ({ status: 200, headers: new HeaderList(), body: chunked('secret') }))
  const stage = parallelFilter('stage', [pieces.client, await ready(t, heads.path)].map((client, i) => ({ client, settings: { ...settings, agentId: `a${i}` } })))
  assert.equal((await through([stage, early], { method: 'POST', body })).status, 403)
})

test('an event stream that came early ends where the agent that looks into it blocks a piece of the request', async (t) => {
  const agent = await lateAgent(t, { ...streaming, events: ['request_body', 'tool_call', 'complete'] }, block)
  const request = slowBody()
  request.send(Buffer.from('now'))
  const events = slowBody()
  let reads = 0
  const early = answersEarly(agent, request.send, () => {
    events.send(Buffer.from('data: first\n\n'))
    return { status: 200, headers: HeaderList.from({ 'Content-Type': 'text/event-stream' }), body: { ...events.body, read () { reads++; return events.body.read() } } }
  })
  const answered = through([agentFilter(agent.client, settings), early], { method: 'POST', body: request.body, headers: { 'Content-Type': 'text/plain' } })
  await eventually('the stream flows', () => reads === 2)
  await agent.answer()
  events.send(Buffer.from('data: second\n\n'))
  events.send(undefined)
  const { body, aborted } = await answered
  assert.deepEqual([body, aborted], ['data: first\n\n', true])
})

test('answers about several pieces that cross the news that the client has left are no mistake of the agent', async (t) => {
  const late: Array<() => void> = []
  const ending = new EndSignal()
  const agent = await rawAgent(t, { describe: streaming, onEvent (event, wire) {
    if (event.kind === 'complete') for (const answer of late) answer()
    if (event.timeoutMs === 0) return
    if (event.kind !== 'request_body') return wire.reply(event, allow)
    late.push(() => {
      wire.reply(event, { kind: 'credit', value: { bytes: 10 } })
      wire.reply(event, chunk({ kind: 'pass', value: {} }))
    })
    if (late.length === 3) ending.end(new Fault('CLIENT_GONE'))
  } })
  const client = await ready(t, agent.path)
  await through([agentFilter(client, settings)], { method: 'POST', body: chunked('first', 'second', 'third', 'fourth'), ending })
  await agent.seen(({ kind }) => kind === 'complete')
  assert.equal((await consult(client)).status, 200)
  assert.deepEqual(client.counters.protocolFaults, {})
})

test('nor is what an agent asks for before its answer', async (t) => {
  const ending = new EndSignal()
  const agent = await rawAgent(t, { onEvent (event, wire) {
    if (event.kind === 'request_headers' && event.exchange === 1) ending.end(new Fault('CLIENT_GONE'))
    else if (event.timeoutMs > 0) wire.reply(event, allow)
    if (event.kind !== 'cancel' && event.kind !== 'complete') return
    if (event.exchange !== 1) return
    wire.reply({ ...event, sequence: 1 }, { kind: 'more_time', value: { timeoutMs: 100 } })
    if (event.kind === 'complete') wire.reply({ ...event, sequence: 1 }, allow)
  } })
  const client = await ready(t, agent.path)
  await consult(client, { ending })
  await agent.seen(({ kind }) => kind === 'complete')
  assert.equal((await consult(client)).status, 200)
  assert.deepEqual(client.counters.protocolFaults, {})
})

test('an answer in time about a piece, which crosses the news that another one ran into its deadline, is no mistake of the agent', async (t) => {
  let second: (() => void) | undefined
  const agent = await rawAgent(t, { describe: streaming, onEvent (event, wire) {
    if (event.kind === 'cancel') second?.()
    if (textOf(event) === 'second') second = () => wire.reply(event, chunk({ kind: 'pass', value: {} }))
    else if (event.timeoutMs > 0 && textOf(event) !== 'first') wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path)
  const { body, send } = slowBody()
  send(Buffer.from('first'))
  const first = consult(client, { method: 'POST', body }, { timeoutMs: 1_000 })
  await agent.seen((event) => textOf(event) === 'first')
  send(Buffer.from('second'))
  assert.equal((await first).x.fault?.code, 'AGENT_TIMEOUT')
  assert.equal((await consult(client)).status, 200)
  assert.deepEqual([second === undefined, client.counters.protocolFaults], [false, {}])
})

test('a body that nobody wants any more is not a failure of its agent', async (t) => {
  const { client } = await answering(t, () => undefined, streaming)
  const { body, send } = slowBody()
  const answersEarly: Filter = {
    name: 'early',
    async onRequest ({ requestBody }) {
      send(Buffer.from('now'))
      await requestBody!.read()
      return { status: 200, headers: new HeaderList(), body: undefined }
    },
  }
  const cancelled = { ...body, cancel: () => send(undefined) }
  assert.equal((await through([agentFilter(client, settings), answersEarly], { method: 'POST', body: cancelled })).status, 200)
  await new Promise(setImmediate)
  assert.deepEqual(client.counters.failures, {})
})

interface LateAgent {
  readonly client: AgentClient
  readonly seen: RawAgent['seen']
  /** Resolves when the answer has come. */
  readonly answer: () => Promise<void>
}

/** An agent that allows everything but the piece 'late': about that it answers with `reply`, when the test says so. */
async function lateAgent (t: TestContext, describe: Script['describe'], reply: ReplyOneOf): Promise<LateAgent> {
  let late = (): void => {}
  const agent = await rawAgent(t, { describe: describe!, onEvent (event, wire) {
    if (textOf(event) === 'late') late = () => wire.reply(event, reply)
    else if (event.timeoutMs > 0) wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path)
  return {
    client,
    seen: agent.seen,
    answer () {
      late()
      return eventually('the piece is judged', () => client.inFlight === 0)
    },
  }
}

/** Who reads one piece of the request, and answers while the next one, 'late', is with the agent: nobody reads on. */
function answersEarly (agent: Pick<LateAgent, 'seen'>, send: (chunk: Buffer) => void, reply: () => Reply): Filter {
  return {
    name: 'early',
    async onRequest ({ requestBody }) {
      await requestBody!.read()
      Promise.resolve(requestBody!.read()).catch(() => {})
      send(Buffer.from('late'))
      await agent.seen((event) => textOf(event) === 'late')
      requestBody!.cancel()
      return reply()
    },
  }
}

function textOf (event: Event): string {
  return event.kind === 'request_body' || event.kind === 'response_body' ? event.value.data.toString() : ''
}
