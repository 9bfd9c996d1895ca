// An agent may send any frames of HTTP/2: no question is answered by that, and whoever comes in its place is asked.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import {
  agentService, decodeToAgent, emptyDecision, emptyDescribeResponse, emptyRequestHeaders, encodeConfigureResponse, encodeDescribeResponse, encodeFromAgent, frame as grpcFrame,
  FrameDecoder, type EventOneOf,
} from '../../proto/codec/index.ts'
import { connectAgent, type AgentClient } from '../../proxy/decisions/index.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { eventually } from '../support/eventually.ts'
import { data, frame, headers, setting, types, u32, type H2Frame } from '../support/h2-client.ts'
import { inBodies, onConnections, onStreams, type Lie } from '../support/http2-lies.ts'
import { patienceMs } from '../support/patience.ts'
import { fieldOf, rawHttp2Upstream, type RawHttp2Connection, type RawHttp2Options, type RawHttp2Upstream } from '../support/raw-http2-upstream.ts'

const grpc = [':status', '200', 'content-type', 'application/grpc']
const fine = ['grpc-status', '0']
const question: EventOneOf = { kind: 'request_headers', value: { ...emptyRequestHeaders, method: 'GET', path: '/' } }
const terms = { timeoutMs: 600, maxTimeoutMs: 600 }

/** Describes and configures itself well; the first question of a connection for which there is a lie is answered by that, all others are allowed. */
async function agent (t: TestContext, lieOf: (connection: RawHttp2Connection) => Lie | undefined, options: RawHttp2Options = {}): Promise<{ upstream: RawHttp2Upstream, client: AgentClient, mostOpen: () => number }> {
  const answered = new Set<string>()
  const open = new Set<number>()
  let mostOpen = 0
  const unary = (to: RawHttp2Connection, id: number, message: Buffer): void => to.send(headers(id, grpc, false), data(id, grpcFrame(message)), headers(id, fine))
  const upstream = await rawHttp2Upstream(t, (to, one) => {
    if (one.type === types.headers) mostOpen = Math.max(mostOpen, open.add(one.stream).size)
    if (one.type !== types.data) return
    const path = fieldOf(to.frames.find(({ type, stream }) => type === types.headers && stream === one.stream)!, ':path')
    const key = `${to.index} ${one.stream}`
    if (path === agentService.process) return answer(to, one, lieOf(to))
    if (answered.has(key)) return
    answered.add(key)
    open.delete(one.stream)
    if (path === agentService.describe) unary(to, one.stream, encodeDescribeResponse({ ...emptyDescribeResponse, name: 'raw', version: '1', protocolVersion: 1, events: ['request_headers'] }))
    else if (path === agentService.configure) unary(to, one.stream, encodeConfigureResponse({ accepted: true, problems: [] }))
    else to.send(headers(one.stream, [...grpc, 'grpc-status', '12']))
  }, options)
  const client = connectAgent({
    id: 'raw', target: { host: '127.0.0.1', port: upstream.port }, config: { json: '{}', version: 'v1' }, pingIntervalMs: 300, pingTimeoutMs: 1_000, reconnectMaxMs: 50,
  })
  t.after(() => client.close())
  await client.settled(patienceMs)
  return { upstream, client, mostOpen: () => mostOpen }
}

function answer (to: RawHttp2Connection, { stream, payload }: H2Frame, lie: Lie | undefined): void {
  if (lie !== undefined) return lie(to, stream)
  if (!to.frames.slice(0, -1).some((one) => one.type === types.data && one.stream === stream)) to.send(headers(stream, grpc, false))
  for (const message of new FrameDecoder(1_000_000).push(payload)) {
    for (const { exchange, sequence } of decodeToAgent(message).events) {
      to.send(data(stream, grpcFrame(encodeFromAgent({ replies: [{ exchange, sequence, kind: 'decision', value: { ...emptyDecision, kind: 'allow', value: {} } }] }))))
    }
  }
}

async function ask (client: AgentClient, within = terms): Promise<string> {
  try {
    return (await client.talk().ask(question, within)).kind
  } catch (error) {
    assert.ok(error instanceof Fault, String(error))
    return error.code
  }
}

async function recovers (client: AgentClient): Promise<void> {
  await eventually(`it is asked again: ${client.state} ${client.lastError}`, async () => await ask(client) === 'decision')
}

const { 'a frame that never ends': silent, ...others } = onConnections

const trickling: Lie = (to, id) => {
  silent!(to, id) // It is there.
  const timer = setInterval(() => {
    if (to.closed) clearInterval(timer)
    else to.send(Buffer.from([0]))
  }, 20)
}

for (const [what, lie] of Object.entries({ ...onStreams, ...inBodies, ...others })) {
  test(`an agent that sends ${what} has answered nothing, and the next connection is used`, async (t) => {
    const { client } = await agent(t, ({ index }) => index === 0 ? lie : undefined)
    assert.equal(client.state, 'ready')
    assert.match(await ask(client), /^AGENT_(?:BAD_REPLY|STREAM_RESET|TIMEOUT)$/)
    await recovers(client)
  })
}

for (const [how, lie] of Object.entries({ 'and nothing more': silent!, 'a byte at a time': trickling })) {
  test(`an agent that sends a frame that never ends, ${how}, gives no sign of life, and the next connection is used`, async (t) => {
    const { client, upstream } = await agent(t, ({ index }) => index === 0 ? lie : undefined)
    assert.equal(await ask(client), 'AGENT_TIMEOUT')
    await eventually('it is given up', () => upstream.connections[0]!.closed)
    await recovers(client)
  })
}

test('an agent that takes few calls at a time is asked when it takes them', async (t) => {
  const { client, mostOpen } = await agent(t, () => undefined, { first: [setting([3, 1])] })
  await recovers(client)
  assert.equal(mostOpen(), 1)
})

test('an agent that takes no calls at all is given up, and not waited for without end', async (t) => {
  const upstream = await rawHttp2Upstream(t, () => {}, { first: [setting([3, 0])] })
  const client = connectAgent({ id: 'raw', target: { host: '127.0.0.1', port: upstream.port }, config: { json: '{}', version: 'v1' }, connectTimeoutMs: 200, reconnectInitialMs: 100 })
  t.after(() => client.close())
  while (client.lastError === undefined) await new Promise((next) => { setTimeout(next, 10) })
  assert.equal(await ask(client), 'AGENT_NOT_CONNECTED')
  assert.ok(upstream.connections.length <= 10)
})

test('an agent that opens no window gets no more than was allowed, and questions end at their deadline', async (t) => {
  const { client, upstream } = await agent(t, () => () => {}, { first: [setting([4, 100])] })
  const long: EventOneOf = { kind: 'request_headers', value: { ...question.value as typeof emptyRequestHeaders, headers: ['x-long', 'v'.repeat(50_000)] } }
  await assert.rejects(client.talk().ask(long, terms), { code: 'AGENT_TIMEOUT' })
  const streams = new Set(upstream.connections[0]!.frames.filter(({ type }) => type === types.data).map(({ stream }) => stream))
  for (const id of streams) {
    const bytes = upstream.connections[0]!.frames.filter(({ type, stream }) => type === types.data && stream === id).reduce((sum, { payload }) => sum + payload.length, 0)
    assert.ok(bytes <= 100, `${bytes}`)
  }
})

test('an agent that says it goes away finishes what is open, and new questions go to a new connection', async (t) => {
  let leave: (() => void) | undefined
  const { client, upstream } = await agent(t, ({ index }) => index > 0 ? undefined : (to, id) => {
    to.send(frame(types.goAway, 0, 0, u32(0x7fff_ffff, 0)))
    leave = () => answer(to, to.frames.findLast(({ type, stream }) => type === types.data && stream === id)!, undefined)
  })
  const open = ask(client, { timeoutMs: patienceMs, maxTimeoutMs: patienceMs })
  while (upstream.connections.length < 2) await new Promise((next) => { setTimeout(next, 10) })
  await recovers(client)
  leave!()
  assert.equal(await open, 'decision')
})

test('what waits for room on a connection is told at once when the agent goes away', async (t) => {
  let leave = (): void => {}
  const { client, upstream } = await agent(t, ({ index }) => index > 0 ? undefined : (to) => {
    leave = () => to.send(frame(types.goAway, 0, 0, u32(0x7fff_ffff, 0)))
  }, { first: [setting([3, 1])] })
  const talk = client.talk()
  const asked = talk.ask(question, terms).catch(() => 'over')
  const reloaded = client.configure({ json: '{}', version: 'v2' }, { validateOnly: true })
  const sinceMs = performance.now()
  await asked
  leave()
  await reloaded
  assert.ok(performance.now() - sinceMs < 25_000, 'not as late as a configuration may be')
  assert.equal(upstream.connections[0]!.closed, false, 'what is open goes on')
  talk.end(new Fault('CLIENT_GONE'))
})

test('an agent that hangs up on a fault is told of by its name', async (t) => {
  const { client } = await agent(t, () => (to) => to.send(frame(types.goAway, 0, 0, u32(0x7fff_ffff, 11))))
  await assert.rejects(client.talk().ask(question, terms), /the agent closes the connection with ENHANCE_YOUR_CALM/)
})
