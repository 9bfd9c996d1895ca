import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

test('a listener of a namespace serves no routes of the file itself', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('not for tenants'))
  const sentinel = await startSentinel(t, `
listeners {
    listener "main" { address "127.0.0.1:0" }
    listener "tenant" { address "127.0.0.1:0"; namespace "tenant" }
}
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
namespace "tenant" { }
observability { metrics { address "127.0.0.1:0" } }
`)
  assert.equal((await sentinel.get('/')).status, 200)
  for (const path of ['/', '/anything', '/.well-known/x']) assert.equal((await request(sentinel.port('tenant'), path)).status, 404)
})
