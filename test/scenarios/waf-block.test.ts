// `waf { … }` alone, without any agent block, is a firewall before every route.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function startWith (t: TestContext, waf: string) {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "shop" { matches { path-prefix "/shop" }; upstream "app" }
    route "rest" { priority "low"; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }
${waf}
`)
  return { upstream, sentinel }
}

const injection = `q=${encodeURIComponent("x' UNION SELECT username, password FROM users--")}`

test('prevention refuses an attack on every route, and lets a plain request through', async (t) => {
  const { upstream, sentinel } = await startWith(t, 'waf { mode "prevention" }')
  for (const path of [`/?${injection}`, `/shop/search?${injection}`]) {
    const answer = await sentinel.request(path)
    assert.equal(answer.status, 403, path)
    assert.equal(answer.headers['x-waf-blocked'], 'true')
  }
  assert.equal(upstream.heads(), 0, 'the application saw an attack')
  assert.equal((await sentinel.request('/shop/search?q=union+of+select+committees')).status, 200)
  assert.equal(upstream.heads(), 1)
})

test('detection lets the attack through, and says in the log what would have been refused', async (t) => {
  const { upstream, sentinel } = await startWith(t, 'waf { mode "detection" }')
  assert.equal((await sentinel.request(`/shop/search?${injection}`)).status, 200)
  assert.equal(upstream.heads(), 1)
  const record = await sentinel.accessed(({ path }) => path === '/shop/search')
  const [waf] = record.agents ?? []
  assert.deepEqual([waf?.['agent'] ?? waf?.['id'], waf?.['verdict']], ['waf', 'block'], JSON.stringify(record))
})

test('off is off: no agent is started', async (t) => {
  const { sentinel } = await startWith(t, 'waf { mode "off" }')
  assert.equal((await sentinel.request(`/shop/search?${injection}`)).status, 200)
  assert.deepEqual(sentinel.agentPids(), {})
})

test('what the block says of bodies, scores and rules reaches the agent', async (t) => {
  const { sentinel } = await startWith(t, 'waf { body-inspection { max-inspection-bytes 1024 } }')
  const form = (size: number) => ({ method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `a=${'x'.repeat(size)}` })
  assert.equal((await sentinel.request('/', form(900))).status, 200)
  assert.equal((await sentinel.request('/', form(1100))).status, 403)
})
