// Two tenants in one file: whatever a client says, it reaches nothing of the other one's, and a limit of the one never hits the other.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const tenant = (id: string, port: number, more = ''): string => `namespace "${id}" {
  listeners { listener "front" { address "127.0.0.1:0" } }
  agents { ${scriptedAgent('auth', `sets-headers "x-${id}-user"`)} }
  upstreams { upstream "app" { target "127.0.0.1:${port}" } }
  routes { route "all" { matches { host "${id}.test" }; agents "auth"; upstream "app"; other-upstreams "app" }; route "rest" { matches { path-prefix "/" }; agents "auth"; upstream "app" } }
  ${more}
}`

test('requests reach the upstream of the tenant whose listener they came in at, whatever host, path or header they name', async (t) => {
  const [red, blue] = [await startRecordingUpstream(t), await startRecordingUpstream(t)]
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0" } }
routes { route "home" { matches { path-prefix "/home" }; respond 200 "home" } }
${tenant('red', red.port)}
${tenant('blue', blue.port)}
observability { metrics { address "127.0.0.1:0" } }
`)
  const tricks = [
    {}, { host: 'blue.test' }, { host: 'blue.test:81' }, { host: 'x', headers: { 'x-forwarded-host': 'blue.test', 'forwarded': 'host=blue.test' } },
    { headers: { 'x-blue-user': 'root', 'x-red-user': 'root' } },
  ]
  for (const path of ['/', '/blue:all', '/blue/../blue', '/home']) for (const trick of tricks) await request(sentinel.port('red:front'), path, trick)
  assert.equal(red.requests.length, 20)
  assert.equal(blue.heads(), 0)
  assert.equal((await request(sentinel.port('main'), '/', { host: 'blue.test' })).status, 404)
  const seen = red.requests.flatMap(({ headers }) => Object.keys(headers))
  assert.ok(!seen.includes('x-red-user'), 'what an agent of the tenant sets, no client sets')
  assert.ok(seen.includes('x-blue-user'), 'the other tenant has no say over the fields of this one')
})

test('agents of a tenant are asked about no request of another, and can lead none to the upstreams of another', async (t) => {
  const [red, blue] = [await startRecordingUpstream(t), await startRecordingUpstream(t)]
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0"; namespace "red" } }
${tenant('red', red.port)}
${tenant('blue', blue.port)}
observability { metrics { address "127.0.0.1:0" } }
`)
  for (const upstream of ['blue:app', 'blue', ':app', 'red:blue:app', 'app ']) {
    const answer = await request(sentinel.port('main'), `/${encodeURIComponent(upstream)}`, { host: 'red.test', headers: scripted({ request: { do: 'allow', extras: { upstream } } }) })
    assert.equal(answer.status, 503, upstream)
    const { agents = [], fault } = await sentinel.accessed(({ path }) => path === `/${encodeURIComponent(upstream)}`)
    assert.deepEqual([fault, [...new Set(agents.map(({ agent }) => agent))]], ['AGENT_BAD_REPLY', ['red:auth']])
  }
  assert.equal(blue.heads(), 0)
})

test('agents and the firewall of the file itself stand before the routes of every tenant', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0"; namespace "red" } }
waf { mode "prevention" }
agents { agent "denylist" { timeout "60s"; config { block-paths "/.env" } } }
namespace "red" {
  upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
  routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
  service "api" { listener { address "127.0.0.1:0" }; routes { route "api" { matches { path-prefix "/" }; upstream "app" } } }
}
observability { metrics { address "127.0.0.1:0" } }
`)
  for (const listener of ['main', 'red:api:service-listener']) {
    const port = sentinel.port(listener)
    assert.equal((await request(port, '/')).status, 200)
    assert.equal((await request(port, '/.env')).status, 403)
    assert.equal((await request(port, `/?q=${encodeURIComponent("1' OR '1'='1")}`)).status, 403)
  }
  assert.equal(upstream.requests.length, 2)
})

test('a name alone never means what another tenant keeps to itself', () => {
  const two = (more: string): string => `listeners { listener "main" { address "127.0.0.1:8080"; namespace "red" } }
namespace "red" { routes { route "all" { matches { path-prefix "/" }; ${more} } } }
namespace "blue" {
  upstreams { upstream "vault" { target "127.0.0.1:9" }; upstream "shared" { target "127.0.0.1:9" } }
  agents { agent "guard" type="waf" }
  filters { filter "step" { type "agent"; agent "guard" } }
  exports { upstreams "shared" }
}`
  const told = (more: string): readonly string[] => checkText(two(more), 'sentinel.kdl', { env: {}, textOnly: true }).problems
    .filter(({ severity }) => severity === 'error').map(({ message, hint = '' }) => `${message} - ${hint}`)
  assert.deepEqual(told('upstream "shared"'), [])
  for (const [more, what] of [['upstream "vault"', 'vault'], ['upstream "shared"; filters "step"', 'step'], ['upstream "shared"; agents "guard"', 'guard']] as const) {
    const [problem = ''] = told(more)
    assert.match(problem, /which doesn't exist/, what)
    assert.doesNotMatch(problem.split(' - ')[1]!, new RegExp(what), 'nobody is told what others have')
  }
})
