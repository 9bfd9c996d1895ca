import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

test('a route whose protection is not built refuses every request, and the start screen says so, with the file', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const running = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" } }
include "closed.kdl"
routes { route "files" { matches { path-prefix "/files" }; static-files { root "." }; policies { geo-access-control { database "country.mmdb"; allow-countries "DE" } } } }
routes { route "rest" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`, { files: { 'closed.kdl': '\nroutes { route "office" { matches { path-prefix "/office" }; upstream "app"; policies { geo-access-control { database "country.mmdb"; allow-countries "DE" } } } }\n', 'country.mmdb': 'none' } })
  assert.equal((await running.get('/office/x')).status, 501)
  assert.equal((await running.get('/files/closed.kdl')).status, 501)
  assert.equal((await running.get('/')).status, 200)
  assert.match(running.screen(), /closed\.kdl:2: 'geo-access-control' .* requests of this route are refused with 501/)
  assert.match(running.screen(), /office +\(not built\)/)
})
