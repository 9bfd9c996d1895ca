// A reload may come at any moment of an agent's life: it never decides by what the operator has replaced.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentClient } from '../../proxy/decisions/index.ts'
import { consult, ready, unsettled } from '../support/consulted.ts'
import { deferred } from '../support/deferred.ts'
import { eventually } from '../support/eventually.ts'
import { rawAgent, type RawAgent } from '../support/raw-agent.ts'

const second = { json: '{"second":true}', version: 'v2' }

async function decidesByTheSecond (agent: RawAgent, client: AgentClient): Promise<void> {
  await eventually('it is asked', () => client.state === 'ready')
  assert.equal(client.configVersion, 'v2')
  assert.equal(agent.configured.at(-1)?.configJson.toString(), second.json)
  assert.equal((await consult(client)).status, 200)
}

test('an agent that still compiles the configuration before gets the new one, and is asked only then', async (t) => {
  const compiled = deferred<void>()
  const versions: string[] = []
  const agent = await rawAgent(t, { async configure ({ version }) {
    versions.push(version)
    if (version === 'v1') await compiled.promise
    return { accepted: true, problems: [] }
  } })
  const client = unsettled(t, agent.path)
  await eventually('it compiles', () => versions.length === 1)
  assert.equal(client.state, 'connecting')
  const states: string[] = []
  client.onState((state) => states.push(`${state} ${client.configVersion}`))
  assert.deepEqual(await client.configure(second, { validateOnly: false }), [])
  compiled.resolve()
  await decidesByTheSecond(agent, client)
  assert.deepEqual(states, ['ready v2'])
})

test('an agent that was not serving when the configuration changed gets the new one before it is asked again', async (t) => {
  const agent = await rawAgent(t)
  agent.sayHealth(true)
  const client = await ready(t, agent.path)
  agent.sayHealth(false)
  await eventually('it says so', () => client.state === 'not-serving')
  const states: string[] = []
  client.onState((state) => states.push(`${state} ${client.configVersion}`))
  assert.deepEqual(await client.configure(second, { validateOnly: false }), [])
  agent.sayHealth(true)
  await decidesByTheSecond(agent, client)
  assert.deepEqual(states, ['ready v2'])
})

test('an agent that comes back and does not take what was configured meanwhile is not asked by what it had before', async (t) => {
  const agent = await rawAgent(t, { configure: ({ version }) => ({ accepted: version === 'v1', problems: [] }) })
  agent.sayHealth(true)
  const client = await ready(t, agent.path)
  agent.sayHealth(false)
  await eventually('it says so', () => client.state === 'not-serving')
  await client.configure(second, { validateOnly: false })
  agent.sayHealth(true)
  await eventually('it refuses', () => client.state === 'refused')
  assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONFIGURED')
})
