// Pages of operators say nothing to web pages that a browser of the same machine shows, and do nothing for them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'

test('a page of a stranger, whose name leads to this machine, is not answered, and has nothing purged', async (t) => {
  const sentinel = await startSentinel(t, `
listeners { listener "admin" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
  route "status" { matches { path "/status" }; builtin-handler "status" }
  route "named" { matches { path "/named"; host "admin.example.com" }; builtin-handler "status" }
  route "purge" { matches { path "/purge" }; builtin-handler "cache-purge" }
}
observability { metrics { enabled #false } }
`)
  const status = async (path: string, host: string, headers: Record<string, string> = {}, method = 'GET'): Promise<number> => (await sentinel.get(path, { host, headers, method })).status
  for (const host of ['localhost', '127.0.0.1:9000', '[::1]', 'x.localhost']) assert.equal(await status('/status', host), 200, host)
  for (const host of ['evil.test', 'localhost.evil.test', '127.0.0.1.evil.test', 'admin.example.com']) assert.equal(await status('/status', host), 403, host)
  assert.equal(await status('/named', 'admin.example.com'), 200)
  assert.equal(await status('/purge?all', 'localhost', {}, 'POST'), 200)
  for (const headers of [{ 'Origin': 'http://evil.test' }, { 'Origin': 'null' }, { 'Sec-Fetch-Site': 'cross-site' }, { 'Sec-Fetch-Site': 'same-site' }]) {
    assert.equal(await status('/purge?all', 'localhost', headers as Record<string, string>, 'POST'), 403, JSON.stringify(headers))
  }
  assert.equal(await status('/status', 'localhost', { 'X-Forwarded-For': '203.0.113.7' }), 403, 'a client from elsewhere, behind a proxy of this machine')
})
