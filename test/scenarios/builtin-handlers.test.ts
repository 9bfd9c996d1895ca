// `builtin-handler`: pages of the proxy itself, as routes.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import http from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { eventually } from '../support/eventually.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const pages = ['status', 'health', 'ready', 'metrics', 'config', 'upstreams', 'cache-stats', 'not-found'] as const
const routes = pages.map((page) => `route "${page}" { matches { path "/${page}" }; service-type "builtin"; builtin-handler "${page}" }`).join('\n')

async function start (t: TestContext, more = ''): Promise<RunningSentinel> {
  const upstream = await httpUpstream(t, (_, response) => response.end('ok'))
  return startSentinel(t, `${more}
listeners { listener "admin" { address "127.0.0.1:0" } }
routes {
  ${routes}
  route "purge" { matches { path-prefix "/purge" }; builtin-handler "cache_purge" }
  route "app" { matches { path-prefix "/app" }; upstream "app"; policies { request-headers { set { Authorization "Bearer the-secret-of-the-application" } } } }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
observability { metrics { enabled #false } }
`)
}

for (const workers of [1, 2]) {
  test(`each page says what it is to say, of the whole proxy, with ${workers === 1 ? 'one worker' : 'two workers'}`, async (t) => {
    const sentinel = await start(t, `system { worker-threads ${workers} }`)
    const json = async (path: string): Promise<Record<string, unknown>> => {
      const { status, headers, text } = await sentinel.get(path)
      assert.deepEqual([status, headers['content-type'], headers['cache-control']], [200, 'application/json', 'no-store'], `${path}: ${text}`)
      return JSON.parse(text) as Record<string, unknown>
    }
    for (let i = 0; i < 6; i++) await sentinel.get('/app')
    assert.deepEqual(await json('/health'), { status: 'healthy' })
    assert.deepEqual(await json('/ready'), { status: 'ready' })
    const status = await json('/status')
    assert.equal(status['pid'], sentinel.pid)
    assert.equal(status['state'], 'running')
    assert.equal((status['workers'] as unknown[] | undefined)?.length ?? 1, workers)
    // What an exchange leaves behind is told by its worker a moment after its end.
    await eventually('both pages say the same', async () => isDeepStrictEqual((await json('/upstreams'))['upstreams'], (await json('/status'))['upstreams']))
    assert.deepEqual(Object.keys(await json('/cache-stats')), ['hits', 'misses', 'stores', 'evictions', 'memory', 'disk'])
    assert.match(String((await sentinel.get('/metrics')).headers['content-type']), /^text\/plain; version=0\.0\.4/)
    const counted = async (): Promise<number> => [...(await sentinel.get('/metrics')).text.matchAll(/^sentinel_requests_total\{[^}]*route="app"[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
    await eventually('all are counted', async () => await counted() >= 6)
    assert.equal(await counted(), 6)
    const missing = await sentinel.get('/not-found', { method: 'POST' })
    assert.equal(missing.status, 404)
    const purge = await sentinel.get('/purge?url=/x', { method: 'POST' })
    assert.deepEqual([purge.status, JSON.parse(purge.text)], [200, { purged: 0 }])
  })
}

test('the configuration is told with its places, and without what is secret in it', async (t) => {
  const sentinel = await start(t)
  const { text } = await sentinel.get('/config')
  const { settings, version } = JSON.parse(text) as { settings: Array<{ path: string, from: unknown }>, version: string }
  assert.match(version, /^[0-9a-f]{12}$/)
  assert.ok(settings.some(({ path }) => path.includes('builtin-handler')))
  assert.doesNotMatch(text, /the-secret-of-the-application/)
})

test('pages of operators are closed where anybody could connect, unless the route says otherwise; others are not', async (t) => {
  const token = 'a-token-that-is-long-enough'
  const sentinel = await startSentinel(t, `
listeners { listener "open" { address "0.0.0.0:0" } }
routes {
  ${routes}
  route "purge" { matches { path-prefix "/purge" }; builtin-handler "cache-purge" }
  route "told" { matches { path "/with-token" }; builtin-handler "status" { token "\${TOKEN}" } }
  route "public" { matches { path "/public" }; builtin-handler "status" { public #true } }
}
observability { metrics { enabled #false } }
`, { env: { TOKEN: token } })
  for (const path of ['/status', '/metrics', '/config', '/upstreams', '/cache-stats']) assert.equal((await sentinel.get(path)).status, 403, path)
  assert.equal((await sentinel.get('/purge?all', { method: 'POST' })).status, 403)
  for (const [path, status] of [['/health', 200], ['/ready', 200], ['/not-found', 404], ['/public', 200]] as const) assert.equal((await sentinel.get(path)).status, status, path)
  const withToken = (value: string) => sentinel.get('/with-token', { headers: { Authorization: value } })
  assert.equal((await withToken(`Bearer ${token}`)).status, 200)
  assert.equal((await withToken(`bearer ${token}`)).status, 200)
  for (const wrong of ['', 'Bearer', `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Basic ${token}`, token, `Bearer ${token}, Bearer x`]) {
    const { status, headers } = await withToken(wrong)
    assert.deepEqual([status, headers['www-authenticate']], [401, 'Bearer realm="sentinel"'], wrong)
  }
  await eventually('the screen is whole', () => /'status' of route/.test(sentinel.screen()))
  assert.match(sentinel.screen(), /'status' of route 'status' answers on loopback addresses and Unix sockets only/)
  assert.doesNotMatch(JSON.stringify([sentinel.log, sentinel.access]) + sentinel.screen(), new RegExp(token))
})

test('whoever may open the Unix socket of a listener is a local client', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-admin-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const sentinel = await startSentinel(t, `
listeners { listener "open" { address "0.0.0.0:0" }; listener "admin" { address "unix:${folder}/admin.sock" } }
routes { route "config" { matches { path "/config" }; builtin-handler "config" } }
observability { metrics { enabled #false } }
`)
  assert.equal((await sentinel.get('/config')).status, 403)
  const status = await new Promise((resolve, reject) => {
    http.get({ socketPath: join(folder, 'admin.sock'), path: '/config', headers: { host: 'localhost' } }, (answer) => resolve(answer.resume().statusCode)).on('error', reject)
  })
  assert.equal(status, 200)
})

test('what is to be purged is said in the query, or is the path that was asked for', async (t) => {
  const sentinel = await start(t)
  const purge = async (path: string, headers: Record<string, string> = {}, method = 'POST'): Promise<number> => (await sentinel.get(path, { method, headers })).status
  for (const query of ['url=/a%3Fb=c', 'prefix=/a', 'glob=/a/*', 'tag=x', 'all', 'url=/a&host=a.test']) assert.equal(await purge(`/purge?${query}`), 200, query)
  for (const query of ['url=a', 'url=/a&prefix=/b', 'tag=', 'prefix=']) assert.equal(await purge(`/purge?${query}`), 400, query)
  assert.equal(await purge('/purge/of/this', {}, 'PURGE'), 200)
  assert.equal(await purge('/purge/of/*', { 'X-Purge-Wildcard': 'true' }, 'PURGE'), 200)
  const { status, headers } = await sentinel.get('/purge')
  assert.deepEqual([status, headers['allow']], [405, 'POST, PURGE'])
  assert.equal((await sentinel.get('/status', { method: 'POST' })).headers['allow'], 'GET, HEAD')
})

test('a page says that it is not ready while the proxy stops', async (t) => {
  const sentinel = await start(t, 'system { shutdown-delay "3s" }')
  assert.equal((await sentinel.get('/ready')).status, 200)
  const stopped = sentinel.stop()
  for (let i = 0; i < 100; i++) {
    const { status, text } = await sentinel.get('/ready')
    if (status === 503) {
      assert.deepEqual(JSON.parse(text), { status: 'draining' })
      break
    }
    assert.ok(i < 99, 'it stayed ready')
  }
  await stopped
})
