// `filter { type "agent" }`: what a filter says of the agents that it names.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, filter: string, agent = '', route = '') {
  const upstream = await startRecordingUpstream(t)
  const filters = filter === '' ? '' : `filters { filter "asked" { type "agent"; agent "guard"; ${filter} } }`
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('guard', agent), [filter === '' ? 'guard' : 'asked'], filters, route))
  return { sentinel, upstream }
}

const blocked = { do: 'block', status: 418 } as const

test('phase "request" asks about requests alone, and "response" about answers alone', async (t) => {
  const requests = await start(t, 'phase "request"')
  assert.equal((await requests.sentinel.get('/', { headers: scripted({ request: blocked }) })).status, 418)
  assert.equal((await requests.sentinel.get('/', { headers: scripted({ response: blocked }) })).status, 200)
  const answers = await start(t, 'phase "response"')
  assert.equal((await answers.sentinel.get('/', { headers: scripted({ request: blocked }) })).status, 200)
  assert.equal((await answers.sentinel.get('/', { headers: scripted({ response: blocked }) })).status, 418)
})

test('max-body-size bounds what is shown, and inspect-body #false shows nothing, even to an agent that asks for it', async (t) => {
  const post = (body: string) => ({ method: 'POST', body, headers: scripted({ late: true }) })
  const shown = await start(t, 'max-body-size "20B"')
  assert.equal((await shown.sentinel.request('/', post('it is forbidden'))).status, 403)
  assert.equal((await shown.sentinel.request('/', post('it is much too long to be shown'))).status, 413)
  const hidden = await start(t, 'inspect-body #false; failure-mode "closed"; timeout "500ms"')
  const { status } = await hidden.sentinel.request('/', post('it is forbidden'))
  assert.notEqual(status, 403, 'it never saw the word')
})

test('max-concurrent-calls: as many are asked at a time, as many wait, and the failure mode counts for more', async (t) => {
  const { sentinel } = await start(t, 'max-concurrent-calls 1; failure-mode "closed"; timeout "60s"')
  const slow = scripted({ request: { do: 'sleep', ms: 2_500 } })
  const statuses = await Promise.all(Array.from({ length: 4 }, async () => (await sentinel.get('/', { headers: slow })).status))
  assert.deepEqual(statuses.toSorted(), [200, 200, 503, 503])
  const refused = await sentinel.accessed(({ status }) => status === 503)
  assert.equal(refused.fault, 'AGENT_QUEUE_FULL')
})

test('an agent in shadow is asked no more at a time either, and nobody waits for it', async (t) => {
  const { sentinel } = await start(t, 'max-concurrent-calls 1; mode "shadow"; timeout "60s"')
  const slow = scripted({ request: { do: 'sleep', ms: 300 } })
  const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await sentinel.get('/', { headers: slow })).status))
  assert.deepEqual(new Set(statuses), new Set([200]))
  const later = await sentinel.get('/', { headers: scripted({ request: blocked }) })
  assert.equal(later.status, 200)
})

test('the failure mode of a route counts before the agent\'s own, and a filter\'s before that', async (t) => {
  const failing = { headers: scripted({ request: { do: 'throw' } }) }
  const route = await start(t, '', 'failure-mode "closed"', 'policies { failure-mode "open" }; ')
  assert.equal((await route.sentinel.get('/', failing)).status, 200)
  const closed = await start(t, '', 'failure-mode "open"', 'policies { failure-mode "closed" }; ')
  assert.equal((await closed.sentinel.get('/', failing)).status, 503)
  const filter = await start(t, 'failure-mode "closed"', 'failure-mode "open"', 'policies { failure-mode "open" }; ')
  assert.equal((await filter.sentinel.get('/', failing)).status, 503)
})
