// `wasm-agents`: agents that would run inside of the proxy do not exist here; nothing passes unjudged for that.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

test('a route that names such agents loads with a warning and answers 501, whatever would answer otherwise', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
  route "judged" { matches { path-prefix "/judged" }; upstream "app"; wasm-agents "guard" }
  route "fixed" { matches { path "/fixed" }; respond 200 "secret"; wasm-agents "guard" }
  route "rest" { matches { path-prefix "/" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`)
  for (const path of ['/judged', '/fixed']) assert.equal((await sentinel.get(path)).status, 501, path)
  assert.equal((await sentinel.get('/')).status, 200)
  assert.equal(upstream.heads(), 1)
  const { stdout, stderr } = await runSentinel(['check', '-c', sentinel.file])
  assert.match(stdout + stderr, /names agents that run inside of the proxy, which there are not: its requests are refused/)
})
