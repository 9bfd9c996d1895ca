// A fact that an agent states (who the user is) may not come from a client on a route that does not ask the agent, nor choose a route.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { scriptedAgent } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

test('a header that only an agent may set neither passes on another route nor chooses one', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "asked" { matches { path-prefix "/asked" }; filters "auth"; upstream "app" }
  route "admin" { priority "high"; matches { path-prefix "/open"; header "x-user" "admin" }; upstream "app" }
  route "open" { matches { path-prefix "/open" }; upstream "app" }
  route "declared" { matches { path-prefix "/declared" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
agents {
  ${scriptedAgent('auth')}
  agent "absent" { unix-socket "nobody.sock"; managed #false; sets-headers "x-role"; failure-mode "open" }
}
filters { filter "unused" { type "agent"; agent "absent" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  await sentinel.request('/open', { headers: { 'X-User': 'admin', x_user: 'admin', 'X.User': 'admin', 'X-Role': 'root', 'x_role': 'root' } })
  const names = upstream.requests.at(-1)!.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  assert.deepEqual(names.filter((name) => /^x.(user|role)$/.test(name)), [])
  assert.equal((await sentinel.accessed(({ path }) => path === '/open')).route, 'open')
})
