import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

test('a listener with redirect-https gives nothing away over plain http', async (t) => {
  const upstream = await httpUpstream(t, (_message, response) => response.end('for https only'))
  const sentinel = await startSentinel(t, `
listeners {
    listener "open" { address "127.0.0.1:0"; redirect-https #true }
    listener "behind" { address "127.0.0.1:0"; redirect-https #true; trusted-proxies "127.0.0.1" }
}
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const headers = { 'x-forwarded-proto': 'https' }
  const answer = await sentinel.get('/a?b=c', { host: 'shop.test', headers })
  assert.deepEqual([answer.status, answer.headers.location, answer.text], [301, 'https://shop.test/a?b=c', ''])
  assert.equal((await sentinel.get('/', { method: 'POST', body: 'x'.repeat(100_000) })).status, 308)
  assert.equal((await request(sentinel.port('behind'), '/', { headers })).text, 'for https only')
  assert.equal((await request(sentinel.port('behind'), '/')).status, 301)
})
