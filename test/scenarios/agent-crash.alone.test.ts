// An agent that crashes: what it was asked is answered at once, as its failure mode says.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consult } from '../support/consulted.ts'
import { failing } from '../support/failing-agent.ts'
import { deadMs, start, warm } from '../support/failure-modes.ts'
import { patienceMs } from '../support/patience.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { within } from '../support/within.ts'

test('an agent that dies in the middle of a call: AGENT_STREAM_RESET within 50 ms', async (t) => {
  const { agent, client } = await failing(t, { onEvent: ({ kind }, { session }) => { if (kind === 'request_headers') session.destroy() } })
  await within(deadMs, async () => {
    await client.settled(patienceMs)
    const { x, status } = await consult(client)
    assert.equal(status, 503)
    assert.equal(x.fault?.code, 'AGENT_STREAM_RESET')
    return x.durationMs
  })
  agent.script = {}
  await client.settled(patienceMs)
  assert.equal((await consult(client)).status, 200)
})

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that is killed in the middle of a call: ${mode}`, async (t) => {
    const from = await start(t, (m) => scriptedAgent('guard', `failure-mode "${m}"; timeout "60s"`), mode)
    await warm(from.sentinel)
    const { sentinel } = from
    const readies = (): number => sentinel.log.filter(({ event }) => event === 'agent-ready').length
    let round = 0
    await within(deadMs, async () => {
      const path = `/middle-${++round}`
      await sentinel.logged(() => readies() >= round)
      const pending = sentinel.request(path, { headers: scripted({ request: { do: 'never' } }) })
      await new Promise((resolve) => { setTimeout(resolve, 200) }) // The event is with the agent by then; an earlier kill is the case above.
      const killedMs = performance.now()
      process.kill(sentinel.agentPids()['guard']!, 'SIGKILL')
      const { status } = await pending
      const tookMs = performance.now() - killedMs
      assert.equal(status, mode === 'closed' ? 503 : 200)
      const record = await sentinel.accessed((one) => one.path === path)
      assert.equal(record.agents![0]!['fault'], 'AGENT_STREAM_RESET')
      return tookMs
    })
  })
}
