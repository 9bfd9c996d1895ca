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
