// What the failure of an agent that is there means is the operator's failure mode as well: one that is too slow, and one that fails.
import { test } from 'node:test'
import { expectFailure, guard, start } from '../support/failure-modes.ts'
import { scripted } from '../support/scripted-agent.ts'

for (const mode of ['closed', 'open'] as const) {
  test(`an agent that is slow past its deadline: ${mode}`, async (t) => {
    await expectFailure(await start(t, guard(), mode), mode, 'AGENT_TIMEOUT', { path: '/slow', headers: scripted({ request: { do: 'sleep', ms: 5_000 } }) })
  })

  test(`an agent that throws: ${mode}`, async (t) => {
    await expectFailure(await start(t, guard(), mode), mode, 'AGENT_ERROR', { path: '/throws', headers: scripted({ request: { do: 'throw' } }) })
  })
}
