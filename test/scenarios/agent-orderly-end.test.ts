// A connection to an agent that ends in order: what was said last arrives, and nothing is held for an exchange that never began.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { parallelFilter, type AgentClient, type AgentOptions } from '../../proxy/decisions/index.ts'
import { EndSignal } from '../../proxy/pipeline/end-signal.ts'
import { Fault } from '../../proxy/pipeline/faults.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { consult, ready, settings, through, unsettled } from '../support/consulted.ts'
import { patienceMs } from '../support/patience.ts'
import { allow, everything, rawAgent, type RawAgent, type Wire } from '../support/raw-agent.ts'

test('an agent that closes in order hears how its last exchange ended, and the connection ends without its deadline', async (t) => {
  const agent = await rawAgent(t, { onEvent (event, wire) {
    if (event.kind !== 'request_headers') return
    wire.session.close()
    setTimeout(() => wire.reply(event, allow), 50)
  } })
  const client = await ready(t, agent.path)
  const [session] = agent.sessions
  const closed = new Promise<void>((resolve) => session!.on('close', () => resolve()))
  assert.equal((await consult(client)).status, 200)
  await closed
  assert.deepEqual(agent.events.map(({ kind }) => kind), ['request_headers', 'complete'])
})

test('an agent that says that it closes in the same moment as an exchange ends hears of the end', async (t) => {
  const agent = await rawAgent(t)
  const client = await ready(t, agent.path)
  const [session] = agent.sessions
  await consult(client)
  session!.goaway()
  await agent.seen(({ kind }) => kind === 'complete')
})

/** An agent that has answered once, and its end of that call. */
async function asked (t: TestContext, options: Partial<AgentOptions>): Promise<{ agent: RawAgent, client: AgentClient, wire: Wire }> {
  const wires: Wire[] = []
  const agent = await rawAgent(t, { onEvent (event, wire) {
    wires.push(wire)
    if (event.timeoutMs > 0) wire.reply(event, allow)
  } })
  const client = await ready(t, agent.path, options)
  assert.equal((await consult(client)).status, 200)
  return { agent, client, wire: wires[0]! } // It has answered.
}

test('an agent whose server closes connections at some age is asked without a gap: the old one serves until the new one does', async (t) => {
  const { agent, client, wire } = await asked(t, { connectTimeoutMs: 600_000 })
  const compiled = deferred<void>()
  agent.script.configure = async () => {
    await compiled.promise
    return { accepted: true, problems: [] }
  }
  wire.session.goaway()
  await eventually('another connection is made', () => agent.configured.length === 2)
  for (let i = 0; i < 3; i++) assert.equal((await consult(client)).status, 200)
  assert.equal(client.state, 'ready')
  assert.equal(wire.stream.closed, false)
  compiled.resolve()
  await eventually('the old one ends', () => wire.stream.closed)
  assert.equal((await consult(client)).status, 200)
})

test('an agent that closes in order and does not come back is asked no longer than a connection may take', async (t) => {
  const { agent, client, wire } = await asked(t, { connectTimeoutMs: 1_000 })
  agent.script.configure = () => new Promise(() => {})
  wire.session.goaway()
  await eventually('it ends', () => wire.stream.closed)
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
})

test('a proxy that closes the connection has said how the last exchange ended', async (t) => {
  const agent = await rawAgent(t)
  const client = await ready(t, agent.path)
  await consult(client)
  await client.close()
  await agent.seen(({ kind }) => kind === 'complete')
  assert.deepEqual(agent.events.map(({ kind }) => kind), ['request_headers', 'complete'])
  await eventually('its connection is closed', () => agent.sessions.size === 0)
})

test('an agent that does not end its side is not waited for', async (t) => {
  const agent = await rawAgent(t, { onProcess: (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.resume()
  } })
  const client = await ready(t, agent.path)
  await client.close()
  await eventually('its connection is closed', () => agent.sessions.size === 0)
})

test('in parallel: a client that leaves while one agent is waited for frees what the others have begun', async (t) => {
  const [there, away] = [await rawAgent(t, { describe: { ...everything, limits: { maxExchanges: 1, maxBodyBytes: 0 } } }), await rawAgent(t)]
  const client = await ready(t, there.path)
  await away.kill()
  const absent = unsettled(t, away.path, { retry: { maxAttempts: 10, backoffMs: 100, maxBackoffMs: 100 } })
  const stage = parallelFilter('stage', [client, absent].map((one, i) => ({ client: one, settings: { ...settings, agentId: `a${i}` } })))
  const ending = new EndSignal()
  const asked = through([stage], { ending })
  ending.end(new Fault('CLIENT_GONE'))
  await asked
  assert.equal((await consult(client)).status, 200)
  await client.drain(AbortSignal.timeout(patienceMs))
  assert.equal(there.events.filter(({ kind }) => kind === 'request_headers').length, 1)
})
