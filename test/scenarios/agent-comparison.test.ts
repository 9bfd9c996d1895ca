// `against`: the decisions of two agents are held against each other, and nobody's request is any different for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const list = (id: string, paths: string, settings: string): string => `agent "${id}" type="denylist" { ${settings}; config { block-paths ${paths} } }`

for (const workers of [1, 2]) {
  test(`a new policy in the shadow of the old one: what differs is counted and told, and clients see the old one (${workers} workers)`, async (t) => {
    const upstream = await startRecordingUpstream(t)
    const agents = `${list('next', '"/old" "/new"', 'mode "shadow"; against "now"')}\n${list('now', '"/old"', 'failure-mode "closed"')}`
    const sentinel = await startSentinel(t, `system { worker-threads ${workers} }\n${siteWith(upstream.port, agents, ['next', 'now'])}`)
    assert.equal((await sentinel.request('/old')).status, 403)
    assert.equal((await sentinel.request('/new')).status, 200)
    assert.equal((await sentinel.request('/')).status, 200)
    const count = (result: string, times: number) => eventually(`${times} ${result}`, async () => (
      (await sentinel.metrics()).includes(`sentinel_agent_comparisons_total{agent="next",against="now",phase="request-headers",result="${result}"} ${times}`)
    ))
    await count('same', 2)
    await count('different', 1)
    const told = await sentinel.logged(({ event }) => event === 'agents-differ')
    assert.deepEqual([told['said'], told['other_said'], told['route']], ['block 403', 'allow', 'all'])
  })
}

test('to be compared with an agent is not to use it: one that guards every route goes on guarding', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agents = `${list('next', '"/new"', 'mode "shadow"; against "now"')}\n${list('now', '"/old"', 'failure-mode "closed"')}`
  const sentinel = await startSentinel(t, siteWith(upstream.port, agents, []))
  assert.equal((await sentinel.request('/old')).status, 403)
})
