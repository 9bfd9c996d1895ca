// Old files declare a route's filters in the route itself.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

test('an agent filter that a route declares itself is asked on that route only', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "guarded" {
        matches { path-prefix "/guarded" }
        upstream "app"
        filters { filter "gate" { agent "list"; timeout-ms 60000 } }
    }
    route "watched" {
        matches { path-prefix "/watched" }
        upstream "app"
        filters { filter "gate" { agent "list"; mode "monitor" } }
    }
    route "open" { matches { path-prefix "/open" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
agents { agent "list" type="denylist" { timeout "60s"; config { block-user-agents "EvilScanner" } } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const statusOf = async (path: string, agent: string) => (await sentinel.request(path, { headers: { 'user-agent': agent } })).status
  assert.equal(await statusOf('/guarded', 'EvilScanner'), 403)
  assert.equal(await statusOf('/guarded', 'Mozilla/5.0'), 200)
  assert.equal(await statusOf('/watched', 'EvilScanner'), 200)
  assert.equal(await statusOf('/open', 'EvilScanner'), 200)
})
