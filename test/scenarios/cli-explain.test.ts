import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeCertificate } from '../support/certificates.ts'
import { runHere } from '../support/command.ts'
import { request } from '../support/request.ts'
import { createUpstream } from '../../proxy/upstreams/index.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const shop = `
listeners { listener "web" { address "127.0.0.1:8080"; trusted-proxies "10.0.0.0/8" }; listener "inner" { address "127.0.0.1:8081" } }
routes {
  route "api" { priority "high"; matches { path-prefix "/api"; host "shop.test"; header "X-Key" "\${KEY:-gold-key}" }; upstream "backend"; filters "look" }
  route "post" { matches { path-prefix "/api"; method "POST" }; upstream "backend"; max-body-size "1MiB" }
  route "rest" { matches { path-prefix "/a" "/api" }; upstream "canary"; other-upstreams "backend"; agents "auth"; inference { guardrails { prompt-injection { enabled #true; agent "auth" }; pii-detection { agent "auth" } } } }
  route "off" { enabled #false; matches { path-prefix "/" }; upstream "canary" }
}
upstreams {
  upstream "backend" { target "127.0.0.1:9001"; target "127.0.0.1:9002" weight=3; tls { sni "backend.test" } }
  upstream "canary" { target "127.0.0.1:9003" }
}
filters { filter "look" { type "agent"; agent "waf"; mode "monitor"; timeout "90ms" } }
agents {
  agent "auth" { unix-socket "/run/auth.sock"; managed #false; events "request_headers"; failure-mode "open"; sets-headers "X-User" }
  agent "waf" { type "waf" }
  agent "denylist" { }
}
`

interface Explained {
  readonly request: { readonly path: string, readonly upstreamPath: string, readonly clientIp: string } | null
  readonly listener: { readonly id: string, readonly note: string | null }
  readonly refused: { readonly status: number, readonly why: string } | null
  readonly tried: ReadonlyArray<{ readonly route: string, readonly place: { readonly line: number }, readonly failed: Readonly<Record<string, string>> | null }>
  readonly route: { readonly id: string } | null
  readonly chain: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly limits: Readonly<Record<string, unknown>>
  readonly upstream: Readonly<Record<string, unknown>> | null
  readonly headers: { readonly set: ReadonlyArray<readonly [string, string]>, readonly removed: readonly string[] } | null
}

function folder (t: TestContext, text: string): string {
  const made = mkdtempSync(join(tmpdir(), 'sentinel-explain-'))
  t.after(() => rmSync(made, { recursive: true }))
  writeFileSync(join(made, 'sentinel.kdl'), text)
  return made
}

async function explained (t: TestContext, args: readonly string[], env: Record<string, string> = {}): Promise<Explained> {
  const { code, stdout, stderr } = await runHere(['explain', ...args, '--json'], { cwd: folder(t, shop), env })
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as Explained
}

test('explain names every route before the winner, the condition that failed, what it wanted and what was there', async (t) => {
  const { tried, route } = await explained(t, ['GET', 'http://shop.test:8080/api/x'])
  assert.deepEqual(tried.map(({ route: id, place, failed }) => [id, place.line, failed]), [
    ['api', 4, { matcher: 'header x-key', wanted: '"(withheld)"', found: 'it is not there' }],
    ['post', 5, { matcher: 'method', wanted: 'POST', found: 'the method is GET' }],
    ['rest', 6, null],
  ])
  assert.equal(route?.id, 'rest')
})

test('explain says that no route takes a request, and exits with 0', async (t) => {
  const { route, refused, tried } = await explained(t, ['GET', '/zzz'])
  assert.equal(route, null)
  assert.deepEqual(refused, { status: 404, why: 'none of the 3 routes takes it' })
  assert.equal(tried.length, 3)
  const { code, stdout } = await runSentinel(['explain', 'GET', '/zzz'], { cwd: folder(t, shop) })
  assert.equal(code, 0)
  assert.match(stdout, /answer +404 {2}none of the 3 routes takes it/)
  assert.match(stdout, /✗ {2}rest +sentinel\.kdl:6 +path-prefix wants "\/a" or "\/api"; the path is "\/zzz"/)
})

test('explain shows who is asked, in order, with mode, failure mode, time and events', async (t) => {
  const { chain } = await explained(t, ['GET', 'http://shop.test:8080/api', '-H', 'X-Key: gold-key'])
  const step = { type: 'waf', mode: 'enforce', failureMode: 'closed', timeoutMs: 1000, maxTimeoutMs: 1000, events: null, filter: null }
  assert.deepEqual(chain, [
    { ...step, agent: 'denylist', by: 'guard', type: 'denylist' },
    { ...step, agent: 'waf', by: 'filter', filter: 'look', mode: 'monitor', timeoutMs: 90 },
  ])
  const rest = await explained(t, ['GET', '/a'])
  assert.deepEqual(rest.chain[1], { ...step, agent: 'auth', by: 'agent', type: 'auth', failureMode: 'open', events: ['request_headers'] })
  assert.deepEqual(rest.chain.slice(2), [{ ...step, agent: 'auth', by: 'guardrail', type: 'auth', timeoutMs: 500, maxTimeoutMs: 500, events: ['guardrail'] }])
})

test('explain shows the upstream, whether it speaks TLS, and the target that the balancer picks first', async (t) => {
  const { upstream, limits } = await explained(t, ['POST', '/api'])
  assert.equal(upstream?.['id'], 'backend')
  assert.equal(upstream?.['tls'], true)
  assert.equal(upstream?.['firstTarget'], '127.0.0.1:9002')
  assert.equal(limits['bodyBytes'], 1024 * 1024)
})

test('explain shows the target that a hash of this very request leads to, and none where it is left to chance', async (t) => {
  const first = async (balancing: string, tenant: string, env: Record<string, string> = {}): Promise<unknown> => {
    const text = shop.replace('tls { sni "backend.test" } }', `target "127.0.0.1:9004" { zone "eu-2" }; load-balancing ${balancing} }`)
    const { stdout } = await runHere(['explain', 'POST', '/api', '-H', `X-Tenant: ${tenant}`, '--json'], { cwd: folder(t, text), env })
    return (JSON.parse(stdout) as Explained).upstream?.['firstTarget']
  }
  const upstream = createUpstream({
    id: 'backend', balance: 'consistent-hash', connectTimeoutMs: 1, readTimeoutMs: 1, writeTimeoutMs: 1, poolMaxConnections: 1, poolIdleMs: 1,
    targets: [{ host: '127.0.0.1', port: 9001, weight: 1 }, { host: '127.0.0.1', port: 9002, weight: 3 }, { host: '127.0.0.1', port: 9004, weight: 1 }],
  })
  for (const tenant of ['a', 'b', 'c', 'd']) {
    const target = upstream.set.pick({ key: tenant, skip: undefined, wanted: undefined })
    assert.equal(await first('"consistent-hash" { key "header:X-Tenant" }', tenant), target?.name)
  }
  assert.equal(await first('"random"', 'a'), null)
  assert.equal(await first('"locality-aware"', 'a', { SENTINEL_ZONE: 'eu-2' }), '127.0.0.1:9004')
})

test('explain reads the path as the proxy does, and says when it is judged as another one', async (t) => {
  const { request, route } = await explained(t, ['GET', 'http://shop.test:8080/zzz/..%2fa/%61?x=1#part'])
  assert.equal(request?.path, '/a/a')
  assert.equal(request?.upstreamPath, '/a/a')
  assert.equal(route?.id, 'rest')
})

test('explain believes X-Forwarded-For of a trusted proxy only, and shows what becomes of the header', async (t) => {
  const from = ['GET', 'http://shop.test:8080/a', '-H', 'X-Forwarded-For: 192.0.2.9', '-H', 'X_User: root', '-H', 'Connection: close, X-Hop', '-H', 'X-Hop: 1']
  const trusted = await explained(t, [...from, '--client-ip', '10.1.2.3'])
  assert.equal(trusted.request?.clientIp, '192.0.2.9')
  assert.deepEqual(trusted.headers?.removed, ['X_User', 'Connection', 'X-Hop'])
  assert.deepEqual(trusted.headers?.set[0], ['X-Forwarded-For', '192.0.2.9, 10.1.2.3'])
  assert.equal((await explained(t, [...from, '--client-ip', '192.0.2.1'])).request?.clientIp, '192.0.2.1')
})

test('explain finds the listener by the port, takes one by name, and says when it had to guess', async (t) => {
  assert.deepEqual((await explained(t, ['GET', 'http://shop.test:8081/a'])).listener, { id: 'inner', protocol: 'http', address: '127.0.0.1:8081', note: null })
  assert.equal((await explained(t, ['GET', '/a', '--listener', 'inner'])).listener.id, 'inner')
  assert.match((await explained(t, ['GET', 'https://shop.test/a'])).listener.note ?? '', /no listener speaks https/)
})

test('what came from the environment is never shown, neither by explain nor by routes', async (t) => {
  const cwd = folder(t, shop)
  const env = { KEY: 'Very"Secret' }
  for (const args of [['explain', 'GET', 'http://shop.test:8080/api'], ['explain', 'GET', 'http://shop.test:8080/api', '--json'], ['routes'], ['routes', '--json']]) {
    const { code, stdout } = await runSentinel(args, { cwd, env })
    assert.equal(code, 0)
    assert.doesNotMatch(stdout, /Secret/i)
    assert.match(stdout, /\(withheld\)/)
  }
})

test('explain refuses what a listener refuses', async (t) => {
  const { route, refused } = await explained(t, ['GET', '/a', '-H', 'Host: a.test', '-H', 'Host: b.test'])
  assert.equal(route, null)
  assert.deepEqual(refused, { status: 400, why: 'more than one Host' })
})

test('a wrong command line is answered with what to write', async (t) => {
  const cwd = folder(t, shop)
  for (const [args, wanted] of [
    [['GET'], /a METHOD and a URL are needed/], [['GET', 'shop.test/a'], /neither a URL .* nor a path/], [['G T', '/a'], /not an HTTP method/],
    [['GET', '/a', '-H', 'nothing'], /write -H "Name: value"/], [['GET', '/a', '--client-ip', 'me'], /'me' is not an IP address/],
    [['GET', '/a', '--listener', 'wbe'], /there is no listener 'wbe'; there is 'web', 'inner'/],
  ] as const) {
    const { code, stderr } = await runHere(['explain', ...args], { cwd })
    assert.equal(code, 2)
    assert.match(stderr, wanted)
  }
})

test('explain and routes with a broken configuration print its errors and exit with 1', async (t) => {
  const cwd = folder(t, shop.replace('upstream "canary"; other', 'upstream "canari"; other'))
  for (const args of [['explain', 'GET', '/a'], ['routes']]) {
    const { code, stderr } = await runHere(args, { cwd })
    assert.equal(code, 1)
    assert.match(stderr, /sentinel\.kdl:6:\d+: CONFIG_UNKNOWN_REFERENCE/)
  }
})

test('routes lists the routes in matching order, with what they ask for, whom they ask, where they go and where they stand', async (t) => {
  const cwd = folder(t, shop)
  const { stdout } = await runHere(['routes'], { cwd })
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, 4, stdout)
  assert.match(lines[1]!, /^1 {2}api +100 {2}host "shop\.test", path-prefix "\/api", header x-key "\(withheld\)" +denylist → waf → backend +sentinel\.kdl:4$/)
  assert.match(lines[2]!, /^2 {2}post +50 {2}method POST, path-prefix "\/api" +denylist → backend +sentinel\.kdl:5$/)
  const { routes } = JSON.parse((await runSentinel(['routes', '--json'], { cwd })).stdout) as { routes: ReadonlyArray<{ id: string, upstream: string }> }
  assert.deepEqual(routes.map(({ id, upstream }) => [id, upstream]), [['api', 'backend'], ['post', 'backend'], ['rest', 'canary']])
})

test('what explain says is what a running proxy does', async (t) => {
  const echo = async (name: string): Promise<number> => (await httpUpstream(t, (incoming, answer) => {
    answer.setHeader('content-type', 'application/json')
    answer.end(JSON.stringify({ upstream: name, url: incoming.url, forwarded: incoming.headers['x-forwarded-for'] }))
  })).port
  const [one, two] = [await echo('one'), await echo('two')]
  const running = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
  route "wild" { matches { host "*.shop.test"; path-prefix "/" }; upstream "two" }
  route "exact" { matches { path "/a/b" }; upstream "two" }
  route "numbered" { matches { path-regex #"^/v\\d+/"#; method "GET" "HEAD" }; upstream "one" }
  route "beta" { matches { path-prefix "/a"; header "X-Beta" }; upstream "two" }
  route "asked" { matches { path-prefix "/q"; query-param "debug" "1" }; upstream "two" }
  route "a" { matches { path-prefix "/a" }; upstream "one" }
}
upstreams { upstream "one" { target "127.0.0.1:${one}" }; upstream "two" { target "127.0.0.1:${two}" } }
observability { metrics { address "127.0.0.1:0" } }
`)
  const requests: ReadonlyArray<{ path: string, method?: string, host?: string, headers?: Readonly<Record<string, string>> }> = [
    { path: '/a' }, { path: '/a/b' }, { path: '/a//b' }, { path: '/a/b/' }, { path: '/ab' }, { path: '/%61/x' }, { path: '/x/../a' }, { path: '/x/..%2fa' },
    { path: '/v12/x' }, { path: '/v12/x', method: 'POST' }, { path: '/v/x' }, { path: '/a', headers: { 'x-beta': '' } }, { path: '/q?debug=1' },
    { path: '/q?debug=%31' }, { path: '/q?debug=2' }, { path: '/nothing', host: 'www.shop.test' }, { path: '/nothing', host: 'shop.test' },
    { path: '/nothing', host: 'A.B.SHOP.TEST.:80' }, { path: '/a', headers: { 'x-forwarded-for': '192.0.2.1' } },
  ]
  for (const { path, method = 'GET', host = 'localhost', headers = {} } of requests) {
    const answer = await running.request(path, { method, host, headers: { ...headers } })
    const lines = Object.entries({ Host: host, ...headers }).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
    const { stdout, stderr } = await runHere(['explain', method, path, ...lines, '--json', '-c', running.file])
    assert.notEqual(stdout, '', stderr)
    const said = JSON.parse(stdout) as Explained
    const record = await running.accessed(({ request_id: id }) => id === answer.headers['x-request-id'])
    const label = `${method} ${host}${path}`
    assert.equal(said.route?.id ?? '', record.route ?? '', label)
    assert.equal(said.refused?.status ?? 200, answer.status, label)
    if (answer.status !== 200) continue
    const seen = JSON.parse(answer.text) as Record<string, string>
    assert.equal(said.upstream?.['id'], seen['upstream'], label)
    assert.equal(said.request?.upstreamPath, seen['url']?.split('?')[0], label)
    assert.equal(said.headers?.set.find(([name]) => name === 'X-Forwarded-For')?.[1], seen['forwarded'], label)
  }
})

test('explain tells what a listener answers by itself, as the running proxy does: redirects to https, and namespaces that are not built', async (t) => {
  const running = await startSentinel(t, `
listeners {
  listener "plain" { address "127.0.0.1:0"; redirect-https #true; trusted-proxies "127.0.0.1" }
  listener "tenant" { address "127.0.0.1:0"; namespace "tenant" }
}
namespace "tenant" { }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
observability { metrics { enabled #false } }
`)
  for (const [listener, method, field, wanted] of [
    ['plain', 'GET', [], 301], ['plain', 'POST', [], 308], ['plain', 'GET', ['X-Forwarded-Proto', 'https'], 502], ['tenant', 'GET', [], 404],
  ] as const) {
    const header = field.length === 0 ? [] : ['-H', field.join(': ')]
    const { stdout } = await runHere(['explain', method, 'http://shop.test/a?b', '--listener', listener, '--json', ...header], { cwd: running.folder })
    const { refused, route } = JSON.parse(stdout) as Explained
    assert.equal(refused?.status ?? 502, wanted, listener)
    assert.equal(route?.id, wanted === 502 ? 'all' : undefined)
    const headers = field.length === 0 ? {} : { [field[0]]: field[1] }
    assert.equal((await request(running.port(listener), '/a?b', { method, headers })).status, wanted)
  }
  const { stdout } = await runHere(['explain', 'GET', 'http://shop.test/a?b', '--listener', 'plain'], { cwd: running.folder })
  assert.match(stdout, /answer +301 {2}listener 'plain' sends clients to https:\/\/shop\.test\/a\?b/)
})

test('explain tells which certificate a client is shown that asks for the host', async (t) => {
  const cwd = folder(t, '')
  for (const [name, hosts] of [['own', 'DNS:own.test,IP:127.0.0.1'], ['shop', 'DNS:*.shop.test']] as const) makeCertificate(cwd, name, { hosts })
  writeFileSync(join(cwd, 'sentinel.kdl'), `
listeners { listener "web" { address "127.0.0.1:8443"; tls { cert-file "own.pem"; key-file "own.key"; sni { cert-file "shop.pem"; key-file "shop.key" } } } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:9" } }
`)
  const shown = async (url: string): Promise<unknown> => {
    const { stdout } = await runHere(['explain', 'GET', url, '--json'], { cwd })
    const { certificate } = JSON.parse(stdout) as { certificate: { file: string, by: string, covers: boolean } }
    return [basename(certificate.file), certificate.by, certificate.covers]
  }
  assert.deepEqual(await shown('https://a.shop.test:8443/'), ['shop.pem', 'name', true])
  assert.deepEqual(await shown('https://127.0.0.1:8443/'), ['own.pem', 'default', true])
  assert.deepEqual(await shown('https://shop.test:8443/'), ['own.pem', 'default', false])
  const { stdout } = await runHere(['explain', 'GET', 'https://shop.test:8443/'], { cwd })
  assert.match(stdout, /shows own\.pem {2}the listener's own: own\.test\n +the certificate does not name that host: clients refuse it/)
})

test('a listener that speaks HTTP/2 without TLS is found by its port, and told of as a URL', async (t) => {
  const made = folder(t, `listeners { listener "web" { address "127.0.0.1:8080" }; listener "two" { address "127.0.0.1:8082"; protocol "h2" }; listener "file" { address "unix:/run/s.sock" } }
    routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
    upstreams { upstream "app" { target "127.0.0.1:9001" } }`)
  const told = async (...args: string[]): Promise<string> => (await runHere(['explain', '-c', join(made, 'sentinel.kdl'), 'GET', ...args])).stdout
  assert.match(await told('http://shop.test:8082/'), /comes in +two +http:\/\/127\.0\.0\.1:8082\n/)
  assert.match(await told('--listener', 'file', '/'), /comes in +file +http on unix:\/run\/s\.sock\n/)
})

test('explain says how long targets are waited for, and how often what is tried again, with what the route changes of that', async (t) => {
  const site = `
listeners { listener "web" { address "127.0.0.1:8080" } }
routes {
  route "patient" { matches { path "/patient" }; upstream "app"; policies { timeouts { first-byte "3s"; request "1m" } }
    retry-policy { max-attempts 4; retryable-status-codes 503 }; hedge { delay "70ms" } }
  route "plain" { matches { path "/plain" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:9001"; target "127.0.0.1:9002"; timeouts { connect "2s"; read "9s" } } }`
  const cwd = folder(t, site)
  const upstreamFor = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { stdout } = await runHere(['explain', ...args, '--json'], { cwd })
    const { connectTimeoutMs, readTimeoutMs, requestTimeoutMs, tries } = (JSON.parse(stdout) as Explained).upstream ?? {}
    return { connectTimeoutMs, readTimeoutMs, requestTimeoutMs, tries }
  }
  assert.deepEqual(await upstreamFor('GET', '/plain'), { connectTimeoutMs: 2_000, readTimeoutMs: 9_000, requestTimeoutMs: null, tries: null })
  const times = { connectTimeoutMs: 2_000, readTimeoutMs: 3_000, requestTimeoutMs: 60_000 }
  assert.deepEqual(await upstreamFor('GET', '/patient'), { ...times, tries: { most: 4, after: ['connect-failure', 'reset', '503'], hedgeMs: 70 } })
  assert.deepEqual(await upstreamFor('POST', '/patient'), { ...times, tries: { most: 4, after: ['connect-failure'], hedgeMs: null } })
  const { stdout } = await runHere(['explain', 'GET', '/patient'], { cwd })
  assert.match(stdout, /up to 4 tries, after connect-failure, reset, 503; another target is asked as well after 70 ?ms/)
})
