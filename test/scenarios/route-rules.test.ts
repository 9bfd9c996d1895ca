// Routes that answer themselves, and rules about who may come in.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { startSentinel } from '../support/sentinel.ts'

test('a route gives a fixed answer, with its status, body and header fields', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "ok" { matches { path "/ok" }; respond 200 "grüß Gott\\n" }
    route "gone" { matches { path-prefix "/old" }; respond 410 "gone" { headers { Content-Type "text/html"; X-Why "moved" } } }
    route "empty" { matches { path "/none" }; respond 204 }
}
observability { metrics { enabled #false } }
`)
  const ok = await sentinel.get('/ok')
  assert.deepEqual([ok.status, ok.text, ok.headers['content-type']], [200, 'grüß Gott\n', 'text/plain; charset=utf-8'])
  const gone = await sentinel.get('/old/x')
  assert.deepEqual([gone.status, gone.text, gone.headers['content-type'], gone.headers['x-why']], [410, 'gone', 'text/html', 'moved'])
  assert.equal((await sentinel.get('/none')).status, 204)
  const head = await sentinel.request('/ok', { method: 'HEAD' })
  assert.deepEqual([head.status, head.text, head.headers['content-length']], [200, '', String(Buffer.byteLength('grüß Gott\n'))])
})

test('addresses are let in or kept out, by what a trusted proxy says of them; what no list names follows from which list there is', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
    route "only" { matches { path-prefix "/only" }; respond 200 "in"; policies { ip-access-control { allow "10.0.0.0/8" "2001:db8::/32"; block "10.6.0.0/16" } } }
    route "not" { matches { path-prefix "/not" }; respond 200 "in"; policies { ip-access-control { block "203.0.113.7" } } }
}
observability { metrics { enabled #false } }
`)
  const from = async (path: string, address: string) => (await sentinel.get(path, { headers: { 'X-Forwarded-For': address } })).status
  assert.equal(await from('/only', '10.1.2.3'), 200)
  assert.equal(await from('/only', '2001:db8::7'), 200)
  assert.equal(await from('/only', '10.6.2.3'), 403, 'who is in both lists stays out')
  assert.equal(await from('/only', '192.0.2.1'), 403)
  assert.equal(await from('/only', '::ffff:10.1.2.3'), 200, 'an IPv4 address is the same in other clothes')
  assert.equal(await from('/not', '203.0.113.7'), 403)
  assert.equal(await from('/not', '203.0.113.8'), 200)
  assert.equal((await sentinel.accessed(({ status }) => status === 403)).fault, 'ADDRESS_REFUSED')
})

test('a filter lets in addresses where it stands among the others', async (t) => {
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "only" { matches { path-prefix "/" }; respond 200 "in"; filters "office" } }
filters { filter "office" { type "ip-access"; allow "10.0.0.0/8"; allow-file "more"; block "10.6.0.0/16" } }
observability { metrics { enabled #false } }
`, { files: { more: '2001:db8::/32\n' } })
  const from = async (address: string) => (await sentinel.get('/', { headers: { 'X-Forwarded-For': address } })).status
  assert.deepEqual([await from('10.1.2.3'), await from('2001:db8::1'), await from('10.6.1.1'), await from('192.0.2.1')], [200, 200, 403, 403])
})

test('lists of addresses may stand in files, which a reload reads again', async (t) => {
  const kdl = `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes { route "only" { matches { path-prefix "/" }; respond 200 "in"; policies { ip-access-control { allow-file "office"; block-file "bad" } } } }
observability { metrics { enabled #false } }
`
  const sentinel = await startSentinel(t, kdl, { files: { office: '# office\n10.0.0.0/8 ; all of it\n\n2001:db8::/32\n', bad: '10.6.0.0/16\n' } })
  const from = async (address: string) => (await sentinel.get('/', { headers: { 'X-Forwarded-For': address } })).status
  assert.deepEqual([await from('10.1.2.3'), await from('2001:db8::1'), await from('10.6.1.1'), await from('192.0.2.1')], [200, 200, 403, 403])
  writeFileSync(join(sentinel.folder, 'bad'), '10.1.0.0/16\n')
  assert.equal((await sentinel.reload(kdl)).event, 'reloaded')
  assert.deepEqual([await from('10.1.2.3'), await from('10.6.1.1')], [403, 200])
  writeFileSync(join(sentinel.folder, 'bad'), '10.1.0.0/16\n10.6.0.0/160\n')
  assert.equal((await sentinel.reload(kdl)).event, 'reload-failed')
})
