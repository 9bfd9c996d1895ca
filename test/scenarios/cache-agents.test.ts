// Agents decide before anybody looks at what is kept, and what they say of a request makes another answer.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scripted, scriptedAgent, siteWith, type Script } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('a kept answer is given only when the agents let the request pass, and only for what they made of it', async (t) => {
  let count = 0
  const upstream = await startRecordingUpstream(t, ({ headers }, response) => {
    response.writeHead(200, { 'Cache-Control': 'max-age=60' }).end(`${++count} for ${String(headers['x-user'] ?? 'nobody')}`)
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('judge'), ['judge'],
    `upstreams { upstream "other" { target "127.0.0.1:${upstream.port}" } }\ncache { status-header #true }`, 'other-upstreams "other"; cache { enabled #true }; '))
  const ask = async (script: Script) => sentinel.get('/a', { headers: { Host: 'a.test', ...scripted(script) } })
  const as = async (user: string) => (await ask({ request: { do: 'allow', extras: { requestHeaders: [{ action: 'set', name: 'X-User', value: user }] } } })).text
  assert.equal((await ask({})).text, '1 for nobody')
  assert.equal((await ask({})).text, '1 for nobody')
  assert.equal((await ask({ request: { do: 'block', status: 403, body: 'no' } })).status, 403)
  assert.deepEqual([await as('ann'), await as('bob'), await as('ann')], ['2 for ann', '3 for bob', '2 for ann'])
  assert.equal((await ask({ request: { do: 'allow', extras: { upstream: 'other' } } })).text, '4 for nobody')
  assert.equal((await ask({ request: { do: 'allow', extras: { rewritePath: '/b' } } })).text, '5 for nobody')
  assert.equal((await ask({})).text, '1 for nobody')
  assert.equal((await ask({ response: { do: 'block', status: 451, body: 'no' } })).status, 451, 'they judge what is kept as any answer')
})
