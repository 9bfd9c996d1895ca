// Agents that are restarted: how soon they are back, and that nobody waits for one that is away.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult } from '../support/consulted.ts'
import { failing } from '../support/failing-agent.ts'
import { deadMs, guard, start, warm } from '../support/failure-modes.ts'
import { patienceMs } from '../support/patience.ts'
import { within } from '../support/within.ts'

test('an agent that is restarted is back in less than 200 ms and gets its configuration again', async (t) => {
  const { agent, client } = await failing(t, {})
  await within(200, async () => {
    const before = agent.configured.length
    await agent.kill()
    while (client.state === 'ready') await new Promise(setImmediate)
    assert.equal((await consult(client)).x.fault?.code, 'AGENT_NOT_CONNECTED')
    // Away for a while, so that the pauses have grown.
    await new Promise((resolve) => setTimeout(resolve, 500))
    await agent.start()
    const startMs = performance.now()
    await client.settled(patienceMs)
    const tookMs = performance.now() - startMs
    assert.equal(client.state, 'ready')
    assert.equal(agent.configured.length, before + 1)
    return tookMs
  })
})

for (const mode of ['closed', 'open'] as const) {
  test(`while the agent is away, ${mode === 'open' ? 'requests go on' : 'requests are refused'} within 50 ms`, async (t) => {
    const from = await start(t, guard(), mode)
    await warm(from.sentinel)
    process.kill(from.sentinel.agentPids()['guard']!, 'SIGKILL')
    await from.sentinel.logged(({ event }) => event === 'agent-exited')
    await within(deadMs, async () => {
      const { status, ms } = await from.sentinel.request('/away')
      assert.equal(status, mode === 'open' ? 200 : 503)
      return ms
    })
  })
}
