// An agent that keeps failing is left alone: its failure mode counts at once, and a few questions find out when it is well again.
import assert from 'node:assert/strict'
import { atATime } from '../support/at-a-time.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { within } from '../support/within.ts'

const test = atATime(2)

const never = { headers: scripted({ request: { do: 'never' } }) }
const throws = { headers: scripted({ request: { do: 'throw' } }) }
const breaker = (timeout: string): string => `circuit-breaker { failure-threshold 2; success-threshold 2; timeout "${timeout}" }`

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that runs into its deadline again and again costs nobody that time any more, failure mode ${mode}`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('guard', `failure-mode "${mode}"; timeout "1s"; ${breaker('90s')}`), ['guard']))
    const status = mode === 'closed' ? 503 : 200
    for (let i = 0; i < 2; i++) assert.equal((await sentinel.request('/slow', never)).status, status)
    await sentinel.logged(({ event }) => event === 'breaker-open')
    await within(800, async () => {
      const { status: given, ms } = await sentinel.request('/left-alone', never)
      assert.equal(given, status)
      return ms
    })
    const { agents } = await sentinel.accessed(({ path }) => path === '/left-alone')
    assert.equal(agents?.[0]?.['fault'], 'AGENT_BREAKER_OPEN')
    assert.match(await sentinel.metrics(), /sentinel_agent_circuit_breaker_state\{agent="guard"\} 2/)
  })
}

test('an agent that is well again is asked by all, after as many good answers as are asked for', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('guard', `timeout "60s"; ${breaker('2s')}`), ['guard']))
  for (let i = 0; i < 2; i++) assert.equal((await sentinel.request('/bad', throws)).status, 503)
  assert.equal((await sentinel.request('/')).status, 503)
  await new Promise((resolve) => { setTimeout(resolve, 2_100) })
  assert.equal((await sentinel.request('/bad', throws)).status, 503, 'the first question fails: it is left alone again')
  assert.equal((await sentinel.request('/')).status, 503)
  await new Promise((resolve) => { setTimeout(resolve, 2_100) })
  for (let i = 0; i < 3; i++) assert.equal((await sentinel.request('/')).status, 200)
  await sentinel.logged(({ event }) => event === 'breaker-closed')
})
