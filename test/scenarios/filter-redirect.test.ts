// `redirect`, `url-rewrite`, `strip-prefix` and `rewrite-path`.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'

async function start (t: TestContext, routes: string, filters = '') {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${routes} }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
filters { ${filters} }
observability { metrics { enabled #false } }
`)
  return { sentinel, upstream, asked: () => upstream.requests.map(({ url }) => url) }
}

test('a redirect needs no upstream, keeps the query, and names scheme, host, port and path as told', async (t) => {
  const { sentinel } = await start(t, `
    route "host" { matches { path-prefix "/host" }; filters "to-www" }
    route "prefix" { matches { path-prefix "/old" }; filters "to-new" }
    route "full" { matches { path-prefix "/full" }; filters "to-page" }
    route "secure" { matches { path-prefix "/secure" }; filters "to-https" }
  `, `
    filter "to-www" { type "redirect"; status-code 301; hostname "www.example.com" }
    filter "to-new" { type "redirect"; status-code 308; replace-prefix-match "/new" }
    filter "to-page" { type "redirect"; replace-full-path "/page"; port 8443; scheme "https" }
    filter "to-https" { type "redirect"; scheme "https" }
  `)
  const to = async (path: string, host = 'shop.test:8080') => {
    const { status, headers } = await sentinel.request(path, { host })
    return `${status} ${headers['location']}`
  }
  assert.equal(await to('/host/a?b=c&d'), '301 http://www.example.com/host/a?b=c&d')
  assert.equal(await to('/old'), '308 http://shop.test:8080/new')
  assert.equal(await to('/old/x/y?z'), '308 http://shop.test:8080/new/x/y?z')
  assert.equal(await to('/full/x?q=1'), '302 https://shop.test:8443/page?q=1')
  assert.equal(await to('/secure'), '302 https://shop.test/secure')
  assert.equal(await to('/secure', '[::1]:8080'), '302 https://[::1]/secure')
})

test('a rewrite changes what the upstream is asked for, and the log keeps what the client asked for', async (t) => {
  const { sentinel, upstream, asked } = await start(t, `
    route "strip" { matches { path-prefix "/api" }; upstream "app"; filters "strip" }
    route "full" { matches { path-prefix "/full" }; upstream "app"; filters "full" }
  `, `
    filter "strip" { type "url-rewrite"; replace-prefix-match "/"; hostname "internal.test" }
    filter "full" { type "url-rewrite"; replace-full-path "/index.html" }
  `)
  await sentinel.request('/api/users/1?x=y')
  await sentinel.request('/api')
  await sentinel.request('/api/%E2%82%AC/a%2Fb')
  await sentinel.request('/full/whatever?x')
  assert.deepEqual(asked(), ['/users/1?x=y', '/', '/%E2%82%AC/a%2Fb', '/index.html?x'])
  assert.equal(upstream.requests[0]!.headers['host'], 'internal.test')
  assert.equal((await sentinel.accessed(({ route }) => route === 'strip')).path, '/api/users/1')
})

test('a route strips its prefix, or asks for one path whatever the client says; dots do not lead out of it', async (t) => {
  const { sentinel, asked } = await start(t, `
    route "strip" { matches { path-prefix "/app" }; upstream "app"; strip-prefix "/app" }
    route "fixed" { matches { path "/status" }; upstream "app"; policies { rewrite-path "/internal/status" } }
  `)
  await sentinel.request('/app/one?q')
  await sentinel.request('/app')
  await sentinel.request('/app/x/../../app/two')
  assert.equal((await sentinel.request('/app/../secret')).status, 404)
  await sentinel.request('/status?v')
  assert.deepEqual(asked(), ['/one?q', '/', '/two', '/internal/status?v'])
})

test('what an expression matches of the path is replaced, and the query stays; where it matches nothing, nothing happens', async (t) => {
  const { sentinel, asked } = await start(t, `
    route "users" { matches { path-prefix "/users" }; upstream "app"; filters "people" }
    route "old" { matches { path-prefix "/old" }; upstream "app"; filters "moved" }
  `, `
    filter "people" { type "url-rewrite"; path-regex #"^/users/(\\d+)/(\\w+)"#; substitution "/people/$2/$1" }
    filter "moved" { type "redirect"; status-code 301; path-regex #"^/old/(.*)$"#; substitution "/new/$1" }
  `)
  await sentinel.get('/users/7/photos/x?size=1&a=%2F')
  await sentinel.get('/users/me/photos')
  await sentinel.get('/users/7/x/%2e%2e/%2e%2e/8/photos')
  await sentinel.get('/old')
  assert.deepEqual(asked(), ['/people/photos/7/x?size=1&a=%2F', '/users/me/photos', '/people/photos/8', '/old'])
  const moved = await sentinel.request('/old/a%20b?q', { host: 'shop.test' })
  assert.deepEqual([moved.status, moved.headers['location']], [301, 'http://shop.test/new/a%20b?q'])
  const sneaky = await sentinel.request('/old//evil.test', { host: 'shop.test' })
  assert.equal(sneaky.headers['location'], 'http://shop.test/new//evil.test')
})
