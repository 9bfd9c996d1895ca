// Namespaces and services: names, routes and listeners of their own in one file.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

/** A target that says who it is. */
async function target (t: TestContext, name: string): Promise<string> {
  const { port } = await httpUpstream(t, (_message, response) => response.end(name))
  return `target "127.0.0.1:${port}"`
}

const metrics = 'observability { metrics { address "127.0.0.1:0" } }'

test('a name means the nearest thing of that name: of the service, the namespace, the file, of an exporting namespace', async (t) => {
  const names = ['file', 'shop', 'pay', 'shared', 'private']
  const [file, shop, pay, shared, secret] = await Promise.all(names.map((name) => target(t, name)))
  const everywhere = (id: string, upstream: string): string => `route "${id}" { matches { path-prefix "/${id}" }; upstream "${upstream}" }`
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0" }; listener "front" { address "127.0.0.1:0"; namespace "shop" } }
routes { ${everywhere('plain', 'db')}; ${everywhere('exact', 'shop:pay:db')} }
upstreams { upstream "db" { ${file} }; upstream "only-file" { ${file} } }
namespace "shop" {
  upstreams { upstream "db" { ${shop} }; upstream "only-shop" { ${shop} } }
  routes { ${everywhere('near', 'db')}; ${everywhere('far', 'only-file')}; ${everywhere('lent', 'cache')}; ${everywhere('named', 'tools:cache')} }
  service "pay" {
    upstreams { upstream "db" { ${pay} } }
    routes { ${everywhere('own', 'db')}; ${everywhere('around', 'only-shop')}; ${everywhere('outside', 'only-file')}; ${everywhere('borrowed', 'cache')} }
  }
}
namespace "tools" {
  upstreams { upstream "cache" { ${shared} }; upstream "db" { ${secret} } }
  exports { upstreams "cache" "db" }
}
${metrics}`)
  const wanted = {
    main: { plain: 'file', exact: 'pay' },
    front: { near: 'shop', far: 'file', lent: 'shared', named: 'shared', own: 'pay', around: 'shop', outside: 'file', borrowed: 'shared' },
  }
  for (const [listener, routes] of Object.entries(wanted)) {
    for (const [route, text] of Object.entries(routes)) assert.equal((await request(sentinel.port(listener), `/${route}`)).text, text, route)
  }
})

test('listeners in a namespace and in a service are bound, and lead to its routes alone', async (t) => {
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0" }; listener "pay-only" { address "127.0.0.1:0"; namespace "shop:pay" } }
routes { route "home" { matches { path-prefix "/" }; respond 200 "file" } }
namespace "shop" {
  listeners { listener "front" { address "127.0.0.1:0"; default-route "rest" } }
  routes { route "cart" { matches { path-prefix "/cart" }; respond 200 "cart" }; route "rest" { matches { host "rest.test" }; respond 200 "rest" } }
  service "pay" {
    listener { address "127.0.0.1:0" }
    routes { route "pay" { matches { path-prefix "/pay" }; respond 200 "pay" } }
  }
}
${metrics}`)
  const answers = async (listener: string): Promise<string[]> => Promise.all(['/', '/cart', '/pay'].map(async (path) => {
    const { status, text } = await request(sentinel.port(listener), path)
    return status === 200 ? text : String(status)
  }))
  assert.deepEqual(await answers('main'), ['file', 'file', 'file'])
  assert.deepEqual(await answers('shop:front'), ['rest', 'cart', 'pay'])
  assert.deepEqual(await answers('shop:pay:service-listener'), ['404', '404', 'pay'])
  assert.deepEqual(await answers('pay-only'), ['404', '404', 'pay'])
})

test('the access log and the metrics say in which namespace and service a request was served', async (t) => {
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0" } }
routes { route "home" { matches { path-prefix "/" }; respond 200 "file" } }
namespace "shop" {
  listeners { listener "front" { address "127.0.0.1:0" } }
  upstreams { upstream "app" { ${await target(t, 'app')}; circuit-breaker { failure-threshold 3 } } }
  routes { route "cart" { matches { path-prefix "/cart" }; upstream "app" } }
  service "pay" { routes { route "pay" { matches { path-prefix "/pay" }; respond 200 "pay" } } }
}
${metrics}`)
  await request(sentinel.port('shop:front'), '/cart')
  await request(sentinel.port('shop:front'), '/pay')
  await request(sentinel.port('main'), '/home')
  const told = async (wanted: string): Promise<unknown[]> => {
    const { route, namespace, service, upstream } = await sentinel.accessed(({ path }) => path === wanted)
    return [route, namespace, service, upstream]
  }
  assert.deepEqual(await told('/cart'), ['shop:cart', 'shop', undefined, 'shop:app'])
  assert.deepEqual(await told('/pay'), ['shop:pay:pay', 'shop', 'pay', undefined])
  assert.deepEqual(await told('/home'), ['home', undefined, undefined, undefined])
  const text = await sentinel.metrics()
  assert.match(text, /sentinel_scoped_requests_total\{namespace="shop",service="",route="shop:cart",status="200"\} 1/)
  assert.match(text, /sentinel_scoped_requests_total\{namespace="shop",service="pay",route="shop:pay:pay",status="200"\} 1/)
  assert.match(text, /sentinel_scoped_request_duration_seconds_count\{namespace="shop",service="pay",route="shop:pay:pay"\} 1/)
  assert.match(text, /sentinel_scoped_upstream_attempts_total\{namespace="shop",service="",upstream="shop:app",route="shop:cart"\} 1/)
  assert.match(text, /sentinel_scoped_active_requests\{namespace="shop",service="pay"\} 0/)
  assert.match(text, /sentinel_scoped_circuit_breaker_state\{namespace="shop",service="",scope="target",name="shop:app"\} 0/)
  assert.doesNotMatch(text, /sentinel_scoped_[a-z_]+\{[^}]*route="home"/)
})

test('an agent that nobody names guards the routes of its namespace, an exported one only those who name it', async (t) => {
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0" }; listener "b" { address "127.0.0.1:0"; namespace "b" } }
routes { route "home" { matches { path-prefix "/" }; respond 200 "file" } }
namespace "a" {
  listeners { listener "front" { address "127.0.0.1:0" } }
  agents { ${scriptedAgent('guard')}; ${scriptedAgent('lent')} }
  routes { route "all" { matches { path-prefix "/" }; respond 200 "a" } }
  exports { agents "lent" }
}
namespace "b" {
  routes { route "asks" { matches { path-prefix "/asks" }; agents "lent"; respond 200 "b" }; route "rest" { matches { path-prefix "/" }; respond 200 "b" } }
}
${metrics}`)
  const agentsAsked = async (listener: string, path: string): Promise<unknown> => {
    await request(sentinel.port(listener), path)
    const { agents = [] } = await sentinel.accessed((record) => record.path === path)
    return [...new Set(agents.map(({ agent }) => agent))]
  }
  assert.deepEqual(await agentsAsked('main', '/1'), [])
  assert.deepEqual(await agentsAsked('a:front', '/2'), ['a:guard'])
  assert.deepEqual(await agentsAsked('b', '/asks/3'), ['a:lent'])
  assert.deepEqual(await agentsAsked('b', '/4'), [])
})

test('an agent chooses among the upstreams of its route by the names that the file uses there', async (t) => {
  const [blue, green] = await Promise.all([target(t, 'blue'), target(t, 'green')])
  const sentinel = await startSentinel(t, `
listeners { listener "main" { address "127.0.0.1:0"; namespace "shop" } }
namespace "shop" {
  agents { ${scriptedAgent('chooser')} }
  upstreams { upstream "blue" { ${blue} }; upstream "green" { ${green} } }
  routes { route "all" { matches { path-prefix "/" }; agents "chooser"; upstream "blue"; other-upstreams "green" } }
}
${metrics}`)
  const choosing = (upstream: string): Promise<string> => request(sentinel.port(), '/', { headers: scripted({ request: { do: 'allow', extras: { upstream } } }) }).then(({ text }) => text)
  assert.equal(await choosing('green'), 'green')
  assert.equal(await choosing('shop:green'), 'green')
})

test('a reload moves a route from the file into a namespace, and changes a limit there', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const before = `
listeners { listener "main" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
${metrics}`
  const after = (limits: string): string => `
listeners { listener "main" { address "127.0.0.1:0"; namespace "shop" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
namespace "shop" { limits { ${limits} }; routes { route "all" { matches { path-prefix "/shop" }; upstream "app" } } }
${metrics}`
  const sentinel = await startSentinel(t, before)
  assert.equal((await sentinel.get('/')).status, 200)
  assert.equal((await sentinel.reload(after('max-body-size "10B"'))).event, 'reloaded')
  assert.equal((await sentinel.get('/')).status, 404)
  assert.equal((await sentinel.get('/shop', { body: 'x'.repeat(11) })).status, 413)
  assert.equal((await sentinel.reload(after('max-body-size "11B"'))).event, 'reloaded')
  assert.equal((await sentinel.get('/shop', { body: 'x'.repeat(11) })).status, 200)
  assert.equal((await sentinel.reload(after('max-body-size "much"'))).event, 'reload-failed')
  assert.equal((await sentinel.get('/shop')).status, 200)
})

const split = {
  'sentinel.kdl': 'listeners { listener "main" { address "127.0.0.1:8080"; namespace "shop" } }\ninclude "teams/*.kdl"\n',
  'teams/shop.kdl': `namespace "shop" {
    upstreams { upstream "app" { target "127.0.0.1:9000" } }
    routes { route "cart" { matches { path-prefix "/cart" }; upstream "app" } }
    service "pay" { limits { max-body-size "1KiB" }; listener { address "127.0.0.1:8081" }; routes { route "pay" { matches { path-prefix "/pay" }; upstream "tools:cache" } } }
}
`,
  'teams/tools.kdl': 'namespace "tools" { upstreams { upstream "cache" { target "127.0.0.1:9001" } }; exports { upstreams "cache" } }\n',
}

test('check, routes, explain, dump, diff and fmt know namespaces, in included files as well', async (t) => {
  const cwd = folderWith(t, split)
  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await runSentinel(args, { cwd })
    assert.equal(code, 0, stdout + stderr)
    return stdout
  }
  assert.match(await run('check'), /ok \(2 listeners, 2 routes, 2 upstreams, 0 agents; 0 warnings\)/)
  assert.match(await run('routes'), /shop:cart[^\n]*path-prefix "\/cart"[^\n]*shop:app[^\n]*teams\/shop\.kdl:3\n[^\n]*shop:pay:pay[^\n]*tools:cache/)
  assert.match(await run('explain', 'GET', 'http://a.test:8080/pay'), /shop:pay:pay[^]*tools:cache/)
  assert.match(await run('explain', 'POST', 'http://a.test:8081/pay'), /shop:pay:service-listener[^]*1 ?KiB/)
  assert.match(await run('explain', 'GET', 'http://a.test:8081/cart'), /404 /)
  const dump = await run('config', 'dump')
  assert.match(dump, /namespace "?shop"? \{[^]*service "?pay"? \{[^]*listener "?service-listener"? \{[^]*namespace "?tools"? \{/)
  const again = folderWith(t, { 'sentinel.kdl': dump, 'changed.kdl': dump.replace('/cart', '/carts') })
  const same = await runSentinel(['check'], { cwd: again })
  assert.equal(same.code, 0, same.stdout + same.stderr)
  const { code, stdout } = await runSentinel(['diff', 'sentinel.kdl', 'changed.kdl'], { cwd: again })
  assert.notEqual(code, 2, stdout)
  assert.match(stdout, /namespace "shop"\n *routes\n *route "cart"[^]*"\/carts"/)
  await run('fmt', '--write', 'teams/shop.kdl')
  await run('fmt', '--check', 'teams/shop.kdl')
})
