import assert from 'node:assert/strict'
import { test } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

const site = (port: number, more = ''): string => `
listeners { listener "web" { address "127.0.0.1:0"; default-route "rest"; ${more} } }
routes {
  route "api" { matches { path-prefix "/api" }; upstream "app" }
  route "rest" { matches { host "rest.test" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
observability { metrics { enabled #false } }
`

test('the default route of a listener takes what no route takes by its conditions', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site(upstream.port))
  assert.equal((await request(sentinel.port(), '/elsewhere')).status, 200)
  const cwd = folderWith(t, { 'sentinel.kdl': site(upstream.port) })
  const { code, stdout } = await runSentinel(['explain', 'GET', 'http://a.test/elsewhere'], { cwd })
  assert.equal(code, 0)
  assert.match(stdout, /default +✓ {2}rest .*the default route of listener 'web'/)
})

test('explain knows listeners that ask no route', async (t) => {
  const namespaced = folderWith(t, { 'sentinel.kdl': `${site(9, 'namespace "tenant"').replace('default-route "rest"; ', '')}namespace "tenant" { }\n` })
  assert.match((await runSentinel(['explain', 'GET', 'http://a.test/'], { cwd: namespaced })).stdout, /404 {2}there is no route in 'tenant'/)
  const redirecting = folderWith(t, { 'sentinel.kdl': site(9, 'redirect-https #true') })
  assert.match((await runSentinel(['explain', 'GET', 'http://a.test/x?y=1'], { cwd: redirecting })).stdout, /301 {2}listener 'web' sends clients to https:\/\/a\.test\/x\?y=1/)
})
