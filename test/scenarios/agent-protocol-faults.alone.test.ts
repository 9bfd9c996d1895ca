import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { encodeFromAgent, frame } from '../../proto/codec/index.ts'
import type { AgentClient } from '../../proxy/decisions/index.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { consult, ready } from '../support/consulted.ts'
import { allow, decision, rawAgent, type RawAgent, type Script } from '../support/raw-agent.ts'

/** Asks once; both failure modes must make of it what they promise, with this code in the record. */
async function fails (client: AgentClient, code: string, boundMs = 1_000): Promise<void> {
  const startMs = performance.now()
  const closed = await consult(client)
  assert.equal(closed.status, 503)
  assert.equal(closed.x.fault?.code, code)
  assert.equal(closed.upstream, undefined)
  assert.ok(performance.now() - startMs < boundMs, `took ${performance.now() - startMs} ms`)
  await client.settled(2_000)
  const open = await consult(client, { headers: { 'X-A': '1' } }, { failureMode: 'open' })
  assert.equal(open.status, 200)
  assert.equal(open.upstream?.headers.get('x-a'), '1')
  assert.equal(open.x.decisions?.[0]?.failureMode, 'open')
}

async function scripted (t: TestContext, script: Script): Promise<{ agent: RawAgent, client: AgentClient }> {
  const agent = await rawAgent(t, script)
  return { agent, client: await ready(t, agent.path) }
}

test('an agent that was never there: 503 at once', async (t) => {
  const agent = await rawAgent(t)
  await agent.kill()
  const client = await ready(t, agent.path, { connectTimeoutMs: 200 }).catch(() => assert.fail())
  const { x, status } = await consult(client)
  assert.equal(status, 503)
  assert.equal(x.fault?.code, 'AGENT_NOT_CONNECTED')
  assert.ok(x.durationMs < 50)
  await agent.start()
  await client.settled(2_000)
  assert.equal((await consult(client)).status, 200)
})

test('an agent that never answers: AGENT_TIMEOUT, and it is told to stop', async (t) => {
  const { agent, client } = await scripted(t, { onEvent () {} })
  await fails(client, 'AGENT_TIMEOUT')
  const cancel = await agent.seen(({ kind }) => kind === 'cancel')
  assert.ok(cancel.kind === 'cancel' && cancel.value.reason === 'timeout')
  await agent.seen(({ kind }) => kind === 'complete')
})

test('an agent that dies in the middle of a call: AGENT_STREAM_RESET within 50 ms', async (t) => {
  const { agent, client } = await scripted(t, { onEvent: ({ kind }, { session }) => { if (kind === 'request_headers') session.destroy() } })
  const { x, status } = await consult(client, {}, { timeoutMs: 5_000 })
  assert.equal(status, 503)
  assert.equal(x.fault?.code, 'AGENT_STREAM_RESET')
  assert.ok(x.durationMs < 50, `took ${x.durationMs} ms`)
  agent.script = {}
  await client.settled(1_000)
  assert.equal((await consult(client)).status, 200)
})

test('a header event is asked again on another connection when the first breaks', async (t) => {
  let broken = 0
  const agent = await rawAgent(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    if (broken++ === 0) wire.session.destroy()
    else wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path, { connections: 2 })
  while (agent.configured.length < 2) await new Promise(setImmediate)
  while (agent.sessions.size < 2) await new Promise(setImmediate)
  const { status } = await consult(client)
  assert.ok(status === 200 || client.counters.reconnects > 0)
  assert.equal(status, 200)
})

test('bytes that are no message: AGENT_BAD_REPLY, and the connection is made anew', async (t) => {
  const { client } = await scripted(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(frame(Buffer.from('ffffffffff', 'hex'))) } })
  await fails(client, 'AGENT_BAD_REPLY')
  assert.ok(client.counters.reconnects >= 1)
  assert.ok((client.counters.protocolFaults.malformed ?? 0) >= 1)
})

test('bytes that are no frame, and frames too large to be true: AGENT_BAD_REPLY', async (t) => {
  for (const bytes of [Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), Buffer.from([1, 0, 0, 0, 1, 0])]) {
    const { client } = await scripted(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(bytes) } })
    const { x } = await consult(client)
    assert.equal(x.fault?.code, 'AGENT_BAD_REPLY')
  }
})

test('half a frame and then the end: AGENT_BAD_REPLY', async (t) => {
  const { client } = await scripted(t, { onEvent ({ kind }, { stream }) {
    if (kind === 'request_headers') stream.end(Buffer.from([0, 0, 0, 0, 9, 1]))
  } })
  await fails(client, 'AGENT_BAD_REPLY')
})

test('half a frame and then silence: the deadline', async (t) => {
  const { client } = await scripted(t, { onEvent: ({ kind }, wire) => { if (kind === 'request_headers') wire.raw(Buffer.from([0, 0, 0, 0, 9, 1])) } })
  const { x } = await consult(client, {}, { timeoutMs: 100 })
  assert.equal(x.fault?.code, 'AGENT_TIMEOUT')
})

test('an agent that answers one byte at a time is understood, until its deadline', async (t) => {
  const timers = new Set<NodeJS.Timeout>()
  t.after(() => { for (const timer of timers) clearInterval(timer) })
  const { agent, client } = await scripted(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    // As the SDK would say it, cut into bytes.
    const bytes = frame(encodeFromAgent({ replies: [{ exchange: event.exchange, sequence: event.sequence, ...allow }] }))
    let at = 0
    const timer = setInterval(() => at < bytes.length ? wire.raw(bytes.subarray(at, ++at)) : clearInterval(timer), 2)
    timers.add(timer)
  } })
  assert.equal((await consult(client, {}, { timeoutMs: 1_000 })).status, 200)
  assert.equal((await consult(client, {}, { timeoutMs: 10, maxTimeoutMs: 10 })).x.fault?.code, 'AGENT_TIMEOUT')
  assert.ok(agent.events.length > 0)
})

test('a reply for an exchange that never was is counted, and the call that goes without is AGENT_BAD_REPLY', async (t) => {
  const { client } = await scripted(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply({ exchange: event.exchange + 100, sequence: 1 }, allow) } })
  const { x, status } = await consult(client, {}, { timeoutMs: 100 })
  assert.equal(status, 503)
  assert.equal(x.fault?.code, 'AGENT_BAD_REPLY')
  assert.equal(client.counters.protocolFaults.unknown, 1)
})

test('a second reply is counted and not applied', async (t) => {
  const block = decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(0) } })
  const { client } = await scripted(t, { onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    wire.reply(event, allow)
    wire.reply(event, block)
  } })
  assert.equal((await consult(client)).status, 200)
  assert.equal((await consult(client)).status, 200)
  assert.ok((client.counters.protocolFaults.duplicate ?? 0) + (client.counters.protocolFaults.late ?? 0) >= 1)
})

test('a late reply is counted and not applied', async (t) => {
  let late: (() => void) | undefined
  const { client } = await scripted(t, { onEvent (event, wire) {
    if (event.kind === 'request_headers') late = () => wire.reply(event, allow)
    if (event.kind === 'complete') late?.()
  } })
  assert.equal((await consult(client, {}, { timeoutMs: 50 })).x.fault?.code, 'AGENT_TIMEOUT')
  while ((client.counters.protocolFaults.late ?? 0) === 0) await new Promise((resolve) => setTimeout(resolve, 2))
})

test('an answer for a chunk where a decision was asked for: AGENT_BAD_REPLY', async (t) => {
  const { client } = await scripted(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: 'chunk', value: { kind: 'pass', value: {} } }) } })
  await fails(client, 'AGENT_BAD_REPLY')
  assert.ok((client.counters.protocolFaults.wrong_phase ?? 0) >= 1)
})

test('a decision or a reply of an unknown kind: AGENT_BAD_REPLY, never an allow', async (t) => {
  const { client } = await scripted(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, decision({ kind: undefined, value: undefined })) } })
  await fails(client, 'AGENT_BAD_REPLY')
  const other = await scripted(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: undefined, value: undefined }) } })
  await fails(other.client, 'AGENT_BAD_REPLY')
})

test('an error of the agent: AGENT_ERROR', async (t) => {
  const { client } = await scripted(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: 'error', value: { code: 'db', message: 'gone', retryable: true } }) } })
  await fails(client, 'AGENT_ERROR')
})

test('more time is given once, and no further than the operator allows', async (t) => {
  const timers: NodeJS.Timeout[] = []
  let asks = 2
  t.after(() => { for (const timer of timers) clearTimeout(timer) })
  const { client } = await scripted(t, { onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    for (let i = 0; i < asks; i++) wire.reply(event, { kind: 'more_time', value: { timeoutMs: 60_000 } })
    timers.push(setTimeout(() => wire.reply(event, allow), 100))
  } })
  assert.equal((await consult(client, {}, { timeoutMs: 40, maxTimeoutMs: 1_000 })).status, 200)
  assert.equal(client.counters.protocolFaults.duplicate, 1)
  asks = 1
  const { x } = await consult(client, {}, { timeoutMs: 20, maxTimeoutMs: 50 })
  assert.equal(x.fault?.code, 'AGENT_TIMEOUT')
})

test('an agent that never reads: calls fail by their deadlines and by the bounded line, and nothing piles up', async (t) => {
  const agent = await rawAgent(t, { onProcess (stream) {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.pause()
  } })
  const client = await ready(t, agent.path, { maxConcurrentCalls: 2, maxQueuedCalls: 2 })
  const outcomes = await Promise.all(Array.from({ length: 10 }, () => consult(client, {}, { timeoutMs: 150 })))
  const codes = outcomes.map(({ x }) => x.fault?.code)
  assert.equal(codes.filter((code) => code === 'AGENT_QUEUE_FULL').length, 6)
  assert.equal(codes.filter((code) => code === 'AGENT_TIMEOUT').length, 4)
  assert.equal(client.inFlight, 0)
})

test('a stream that answers with HTTP errors, another content type or a gRPC status: not ready, with the reason', async (t) => {
  const wrong: Array<[NonNullable<Script['onProcess']>, RegExp]> = [
    [(stream) => stream.respond({ ':status': 404 }, { endStream: true }), /HTTP status 404/],
    [(stream) => { stream.respond({ ':status': 200, 'content-type': 'text/html' }); stream.end('<html>') }, /content type/],
    [(stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'no such method' }, { endStream: true }), /status 12 \(no such method\)/],
  ]
  for (const [onProcess, reason] of wrong) {
    const agent = await rawAgent(t, { onProcess })
    const client = await ready(t, agent.path)
    const { x } = await consult(client, {}, { timeoutMs: 200 })
    assert.ok(x.fault?.code === 'AGENT_BAD_REPLY' || x.fault?.code === 'AGENT_NOT_CONNECTED')
    while (client.lastError === undefined) await new Promise(setImmediate)
    assert.match(client.lastError, reason)
  }
})

test('a refused configuration: AGENT_NOT_CONFIGURED, with the problems; a better one makes it ready', async (t) => {
  const agent = await rawAgent(t, { configure: ({ configJson }) => configJson.toString() === '{}'
    ? { accepted: false, problems: [{ path: ['rules', '3'], message: 'no such rule', hint: 'r3' }] }
    : { accepted: true, problems: [] } })
  const client = await ready(t, agent.path)
  assert.equal(client.state, 'refused')
  assert.deepEqual(client.refusals, [{ path: ['rules', '3'], message: 'no such rule', hint: 'r3' }])
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONFIGURED')
  assert.equal((await client.configure({ json: '{}', version: 'v2' }, { validateOnly: true })).length, 1)
  assert.deepEqual(await client.configure({ json: '{"a":1}', version: 'v2' }, { validateOnly: false }), [])
  assert.equal(client.state, 'ready')
  assert.equal(client.configVersion, 'v2')
  assert.equal((await consult(client)).status, 200)
})

test('a reload that the agent refuses leaves the active configuration in force', async (t) => {
  const agent = await rawAgent(t, { configure: ({ configJson }) => ({ accepted: configJson.toString() === '{}', problems: [] }) })
  const client = await ready(t, agent.path)
  assert.equal((await client.configure({ json: '{"bad":1}', version: 'v2' }, { validateOnly: true })).length, 1)
  assert.equal(client.configVersion, 'v1')
  assert.equal(client.state, 'ready')
  assert.equal(agent.configured[1]?.validateOnly, true)
})

test('another protocol version or events that cannot be had: incompatible, told with both lists', async (t) => {
  const old = await rawAgent(t, { describe: { protocolVersion: 0 } })
  const client = await ready(t, old.path)
  assert.equal(client.state, 'incompatible')
  assert.match(client.lastError ?? '', /the proxy speaks protocol version 1, the agent none of them/)
  const poor = await rawAgent(t, { describe: { events: ['request_headers'] } })
  const other = await ready(t, poor.path, { events: ['request_headers', 'response_body'] })
  assert.equal(other.state, 'incompatible')
  assert.match(other.lastError ?? '', /lists the events request_headers, response_body; the agent describes request_headers/)
  assert.equal((await consult(other)).status, 503)
})

test('an agent that is restarted is back in less than 200 ms and gets its configuration again', async (t) => {
  const { agent, client } = await scripted(t, {})
  await agent.kill()
  while (client.state === 'ready') await new Promise(setImmediate)
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
  // Away for a while, so that the pauses have grown.
  await new Promise((resolve) => setTimeout(resolve, 500))
  await agent.start()
  const startMs = performance.now()
  await client.settled(2_000)
  assert.equal(client.state, 'ready')
  assert.ok(performance.now() - startMs < 200, `took ${performance.now() - startMs} ms`)
  assert.equal(agent.configured.length, 2)
})

test('an agent that says it is closing finishes what it has, and new exchanges go to a new connection', async (t) => {
  const { agent, client } = await scripted(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    if (agent.events.length === 1) wire.session.goaway()
    setTimeout(() => wire.reply(event, allow), 50)
  } })
  const first = consult(client)
  await agent.seen(({ kind }) => kind === 'request_headers')
  while (client.state === 'ready') await new Promise(setImmediate)
  await client.settled(1_000)
  assert.equal((await consult(client)).status, 200)
  assert.equal((await first).status, 200)
})

test('drain waits for the open exchanges, and takes no new ones', async (t) => {
  let answer: (() => void) | undefined
  const { agent, client } = await scripted(t, { onEvent (event, wire) { if (event.kind === 'request_headers') answer = () => wire.reply(event, allow) } })
  const first = consult(client, {}, { timeoutMs: 2_000 })
  await agent.seen(({ kind }) => kind === 'request_headers')
  const drained = client.drain(AbortSignal.timeout(5_000))
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
  answer?.()
  assert.equal((await first).status, 200)
  await drained
})

test('a client that goes away: the agent is told, and its answer is not waited for', async (t) => {
  const { agent, client } = await scripted(t, { onEvent () {} })
  const ending = new EndSignal()
  const asked = consult(client, { ending }, { timeoutMs: 10_000 })
  await agent.seen(({ kind }) => kind === 'request_headers')
  ending.end(new Fault('CLIENT_GONE'))
  const { x } = await asked
  assert.equal(x.fault?.code, 'CLIENT_GONE')
  const cancel = await agent.seen(({ kind }) => kind === 'cancel')
  assert.ok(cancel.kind === 'cancel' && cancel.value.reason === 'client_gone')
  const complete = await agent.seen(({ kind }) => kind === 'complete')
  assert.ok(complete.kind === 'complete' && complete.value.error === 'CLIENT_GONE')
})
