import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult, ready } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { rawAgent } from '../support/raw-agent.ts'

test('an agent that says it is not serving gets nothing until it says otherwise', async (t) => {
  const agent = await rawAgent(t)
  agent.sayHealth(true)
  const client = await ready(t, agent.path)
  assert.equal((await consult(client)).status, 200)
  const becomes = (state: string): Promise<void> => new Promise((resolve) => {
    const stop = client.onState((now) => {
      if (now !== state) return
      stop()
      resolve()
    })
  })

  const away = becomes('not-serving')
  agent.sayHealth(false)
  await away
  const refused = await consult(client)
  assert.equal(refused.status, 503)
  assert.equal(refused.x.fault?.code, 'AGENT_NOT_CONNECTED')

  const back = becomes('ready')
  agent.sayHealth(true)
  await back
  assert.equal((await consult(client)).status, 200)
})

test('an agent without a health service is taken as serving', async (t) => {
  const agent = await rawAgent(t)
  const client = await ready(t, agent.path)
  assert.equal(client.state, 'ready')
  assert.equal((await consult(client)).status, 200)
})

test('an agent that fails its checks in a row gets nothing until as many are good as are asked for', async (t) => {
  let status: 'serving' | 'not_serving' | undefined = 'serving'
  let checks = 0
  const agent = await rawAgent(t, { check: () => { checks++; return status } })
  const client = await ready(t, agent.path, { healthPoll: { intervalMs: 20, timeoutMs: 1_000, healthyThreshold: 2, unhealthyThreshold: 3 } })
  const becomes = (state: string): Promise<string | undefined> => new Promise((resolve) => {
    const stop = client.onState((now, why) => {
      if (now !== state) return
      stop()
      resolve(why)
    })
  })
  assert.equal((await consult(client)).status, 200)
  for (const bad of ['not_serving', undefined] as const) {
    const away = becomes('not-serving')
    status = bad
    const before = checks
    assert.match(String(await away), bad === undefined ? /no answer to .*Check in 1000 ms/ : /not serving/)
    assert.ok(checks - before >= 3, `${checks - before} checks`)
    assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
    const back = becomes('ready')
    status = 'serving'
    await back
    assert.equal((await consult(client)).status, 200)
  }
})

test('an agent without a health service passes its checks', async (t) => {
  const agent = await rawAgent(t)
  const client = await ready(t, agent.path, { healthPoll: { intervalMs: 10, timeoutMs: 60_000, healthyThreshold: 1, unhealthyThreshold: 1 } })
  await new Promise((resolve) => { setTimeout(resolve, 150) })
  assert.equal(client.state, 'ready')
})

test('an agent that has no health service says so by a number, whatever its words are', async (t) => {
  const agent = await rawAgent(t, { check: () => ({ status: 13, message: 'the store said status 12' }) })
  const client = await ready(t, agent.path, { healthPoll: { intervalMs: 20, timeoutMs: 500, healthyThreshold: 1, unhealthyThreshold: 1 } })
  await eventually('it is not well', () => client.state === 'not-serving')
  assert.match(String(client.lastError), /status 13 \(the store said status 12\)/)
  agent.script.check = () => ({ status: 12, message: 'unknown service' })
  await eventually('it is', () => client.state === 'ready')
})

test('an agent whose health could not be heard for a while is heard again', async (t) => {
  const agent = await rawAgent(t)
  agent.sayHealth(true)
  const client = await ready(t, agent.path)
  agent.sayHealth(false)
  await eventually('it says that it is not serving', () => client.state === 'not-serving')
  const [watcher] = agent.watchers
  watcher!.close(2)
  await eventually('nobody listens', () => agent.watchers.size === 0)
  assert.equal(client.state, 'not-serving', 'what it said last stays')
  agent.sayHealth(true)
  await eventually('it is asked again', () => client.state === 'ready')
  assert.equal((await consult(client)).status, 200)
})

test('an agent that takes few calls at a time is asked for decisions, and takes a reload, with what room it has', async (t) => {
  for (const maxCalls of [1, 2, 3]) {
    const agent = await rawAgent(t, { maxCalls })
    agent.sayHealth(true)
    const client = await ready(t, agent.path, { configureTimeoutMs: 1_000 })
    await eventually('it is asked', () => client.state === 'ready')
    assert.equal((await consult(client)).status, 200)
    if (maxCalls > 1) await client.configure({ json: '{}', version: 'v2' }, { validateOnly: false })
    assert.equal(client.state, 'ready')
    assert.equal(client.counters.reconnects, 0)
    assert.equal(agent.watchers.size, maxCalls === 3 ? 1 : 0)
  }
})

test('what an agent says of the end of a call is told as it is meant, on one line', async (t) => {
  const agent = await rawAgent(t, { onProcess: (stream) => stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '13', 'grpc-message': 'r%C3%A8gle 3:%0A  50%25 of it' }, { endStream: true },
  ) })
  const client = await ready(t, agent.path)
  await eventually('it is told', () => client.lastError !== undefined)
  assert.match(client.lastError!, /status 13 \(règle 3:   50% of it\)/)
})
