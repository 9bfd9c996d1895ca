import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult, ready, unsettled } from '../support/consulted.ts'
import { failing, fails } from '../support/failing-agent.ts'
import { patienceMs } from '../support/patience.ts'
import { allow, rawAgent, type Script } from '../support/raw-agent.ts'
import { within } from '../support/within.ts'

test('an agent that was never there: 503 at once', async (t) => {
  const agent = await rawAgent(t)
  await agent.kill()
  const client = unsettled(t, agent.path)
  await within(50, async () => {
    const { x, status } = await consult(client)
    assert.equal(status, 503)
    assert.equal(x.fault?.code, 'AGENT_NOT_CONNECTED')
    return x.durationMs
  })
  await agent.start()
  await client.settled(patienceMs)
  assert.equal((await consult(client)).status, 200)
})

test('an agent that never answers: AGENT_TIMEOUT, and it is told to stop', async (t) => {
  const { agent, client } = await failing(t, { onEvent () {} })
  await fails(client, 'AGENT_TIMEOUT', { timeoutMs: 300 })
  const cancel = await agent.seen(({ kind }) => kind === 'cancel')
  assert.ok(cancel.kind === 'cancel' && cancel.value.reason === 'timeout')
  await agent.seen(({ kind }) => kind === 'complete')
})

test('an error of the agent: AGENT_ERROR', async (t) => {
  const { client } = await failing(t, { onEvent: (event, wire) => { if (event.timeoutMs > 0) wire.reply(event, { kind: 'error', value: { code: 'db', message: 'gone', retryable: true } }) } })
  await fails(client, 'AGENT_ERROR')
})

test('more time is given once, and no further than the operator allows', async (t) => {
  const timers: NodeJS.Timeout[] = []
  let asks = 2
  t.after(() => { for (const timer of timers) clearTimeout(timer) })
  const { client } = await failing(t, { onEvent (event, wire) {
    if (event.timeoutMs === 0) return
    for (let i = 0; i < asks; i++) wire.reply(event, { kind: 'more_time', value: { timeoutMs: 60_000 } })
    timers.push(setTimeout(() => wire.reply(event, allow), 1_500))
  } })
  assert.equal((await consult(client, {}, { timeoutMs: 1_000, maxTimeoutMs: 60_000 })).status, 200)
  assert.equal(client.counters.protocolFaults.duplicate, 1)
  asks = 1
  const { x } = await consult(client, {}, { timeoutMs: 20, maxTimeoutMs: 50 })
  assert.equal(x.fault?.code, 'AGENT_TIMEOUT')
})

test('a stream that answers with HTTP errors, another content type or a gRPC status: not ready, with the reason', async (t) => {
  const wrong: Array<[NonNullable<Script['onProcess']>, RegExp]> = [
    [(stream) => stream.respond({ ':status': 404 }, { endStream: true }), /HTTP status 404/],
    [(stream) => { stream.respond({ ':status': 200, 'content-type': 'text/html' }); stream.end('<html>') }, /content type/],
    [(stream) => stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12', 'grpc-message': 'no such method' }, { endStream: true }), /status 12 \(no such method\)/],
  ]
  for (const [onProcess, reason] of wrong) {
    const agent = await rawAgent(t, { onProcess })
    const client = unsettled(t, agent.path)
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

test('drain waits for the open exchanges, and takes no new ones', async (t) => {
  let answer: (() => void) | undefined
  const { agent, client } = await failing(t, { onEvent (event, wire) { if (event.kind === 'request_headers') answer = () => wire.reply(event, allow) } })
  const first = consult(client)
  await agent.seen(({ kind }) => kind === 'request_headers')
  const drained = client.drain(AbortSignal.timeout(patienceMs))
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
  answer?.()
  assert.equal((await first).status, 200)
  await drained
})

