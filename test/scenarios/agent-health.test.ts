import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult, ready } from '../support/consulted.ts'
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
  const client = await ready(t, agent.path, { healthPoll: { intervalMs: 20, timeoutMs: 50, healthyThreshold: 2, unhealthyThreshold: 3 } })
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
    assert.match(String(await away), bad === undefined ? /no answer to .*Check in 50 ms/ : /not serving/)
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
  const client = await ready(t, agent.path, { healthPoll: { intervalMs: 10, timeoutMs: 50, healthyThreshold: 1, unhealthyThreshold: 1 } })
  await new Promise((resolve) => { setTimeout(resolve, 150) })
  assert.equal(client.state, 'ready')
})
