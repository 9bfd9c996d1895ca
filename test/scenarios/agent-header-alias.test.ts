// Facts about a client that agents state in header fields cannot be stated by the client, under no spelling that an application takes for the same.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decision } from '../support/raw-agent.ts'
import { startWithRawAgents } from '../support/raw-agents.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('client copies of a header that an agent sets are removed, whatever their spelling', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first'), ['first']))
  const lastSeen = () => upstream.requests.at(-1)!
  await sentinel.request('/spoof', { headers: { 'X-User': 'root', x_user: 'root', 'X.User': 'root', 'X-Users': 'kept' } })
  const names = lastSeen().rawHeaders.filter((_, i) => i % 2 === 0)
  assert.deepEqual(names.filter((name) => /^x.user$/i.test(name)), [])
  assert.equal(lastSeen().headers['x-users'], 'kept')
})


const spellings = ['X-User', 'x_user', 'X.User', 'X_USER', 'x!user', 'X~User']

test('what an agent sets or removes is set or removed under every spelling, also where it describes nothing', async (t) => {
  for (const action of ['set', 'remove'] as const) {
    const { sentinel, upstream } = await startWithRawAgents(t, { a: { answer: () => decision({ kind: 'allow', value: {} }, { requestHeaders: [{ action, name: 'X-User', value: 'ada' }] }) } }, { filters: ['a'] })
    await sentinel.get('/', { headers: Object.fromEntries(spellings.map((name) => [name, 'root'])) })
    const { rawHeaders } = upstream.requests[0]!
    const left = rawHeaders.flatMap((name, i) => i % 2 === 0 && /^x.user$/i.test(name) ? [[name, rawHeaders[i + 1]]] : [])
    assert.deepEqual(left, action === 'set' ? [['X-User', 'ada']] : [])
  }
})

test('fields that an agent describes, or the file says, are taken off on routes that do not ask it, and behind bodies', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const more = `routes { route "open" { matches { path "/open" }; upstream "app" } }`
  const { sentinel } = await startWithRawAgents(t, { a: { describe: { setsRequestHeaders: ['x-described'] }, settings: 'sets-headers "x-said"' } }, { upstream, filters: ['a'], more })
  const headers = { 'X_Described': 'root', 'x.described': 'root', 'X-Said': 'root', 'x_said': 'root', 'X-Other': 'kept' }
  for (const path of ['/', '/open']) {
    await sentinel.get(path, { headers })
    const seen = upstream.requests.at(-1)!
    assert.deepEqual(Object.keys(seen.headers).filter((name) => /^x.(?:described|said|other)$/.test(name)), ['x-other'], path)
  }
})
