// An agent that subscribes to nothing of what a request has is told nothing of it, and costs nothing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decision, everything } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'

const forms = {
  'alone': { settings: '', route: 'filters "a" "last"; ' },
  'at once with another': { settings: '', route: 'filters { parallel { agent "a"; agent "last" } }; ' },
  'in shadow mode': { settings: 'mode "shadow"; ', route: 'filters "a" "last"; ' },
}

for (const [form, { settings, route }] of Object.entries(forms)) {
  test(`an agent for bodies hears of requests that have one, and of no others: ${form}`, async (t) => {
    const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: everything, settings: `${settings}events "request_body"` }, last: {} }, { route })
    assert.equal((await sentinel.request('/')).status, 200)
    assert.equal((await sentinel.request('/', { method: 'POST', body: 'hello' })).status, 200)
    assert.equal((await sentinel.request('/', { method: 'HEAD' })).status, 200)
    await agents.a.seen(({ kind }) => kind === 'complete')
    assert.deepEqual(agents.a.events.map(({ kind, exchange }) => [kind, exchange]), [['request_headers', 1], ['request_body', 1], ['complete', 1]])
    const { agents: asked } = await sentinel.accessed(({ method }) => method === 'GET')
    assert.deepEqual(asked?.map(({ agent }) => agent), ['last'])
  })
}

test('whether it is there matters only to requests that concern it', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: everything, settings: 'events "request_body"' } }, { filters: ['a'] })
  await agents.a.kill()
  await sentinel.logged(({ event, agent }) => event === 'agent-state' && agent === 'a')
  assert.equal((await sentinel.request('/')).status, 200)
  assert.equal((await sentinel.request('/', { method: 'POST', body: 'hello' })).status, 503)
})

test('who wants to know how exchanges end hears of all', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, { a: { describe: everything, settings: 'events "request_body" "request_complete"' } }, { filters: ['a'] })
  assert.equal((await sentinel.request('/')).status, 200)
  await agents.a.seen(({ kind }) => kind === 'complete')
  assert.deepEqual(agents.a.events.map(({ kind }) => kind), ['request_headers', 'complete'])
})

test('an agent for answers sees the answer to a request without a body', async (t) => {
  const { sentinel, agents } = await startWithRawAgents(t, {
    a: { describe: everything, settings: 'events "response_headers"', answer: ({ kind }) => kind === 'response_headers' ? decision({ kind: 'block', value: { status: 451, headers: [], body: Buffer.alloc(0) } }) : undefined },
  }, { filters: ['a'] })
  assert.equal((await sentinel.request('/')).status, 451)
  assert.deepEqual(agents.a.events.map(({ kind }) => kind).slice(0, 2), ['request_headers', 'response_headers'])
})
