import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { atATime } from '../support/at-a-time.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream, type TestUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'

const waiting = atATime(3)

interface Server extends TestUpstream {
  /** Ends the answers to `/hold` that wait. */
  readonly letGo: () => void
  readonly holding: () => number
  readonly served: () => number
}

async function server (t: TestContext, name: string): Promise<Server> {
  const held: Array<() => void> = []
  let served = 0
  const upstream = await httpUpstream(t, ({ url }, response) => {
    served++
    if (url === '/hold') held.push(() => response.end(name))
    else response.end(name)
  })
  return {
    port: upstream.port, sockets: upstream.sockets, get connections () { return upstream.connections },
    letGo: () => { for (const answer of held.splice(0)) answer() },
    holding: () => held.length,
    served: () => served,
  }
}

const site = (upstream: string): string => `system { graceful-shutdown-timeout "20s" }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { ${upstream} } }
observability { metrics { address "127.0.0.1:0" } }
`
const to = ({ port }: Server, more = ''): string => `target "127.0.0.1:${port}" ${more}`

const until = (holds: () => boolean): Promise<void> => eventually('what is waited for', holds)

async function reload (sentinel: RunningSentinel, upstream: string): Promise<void> {
  const outcome = await sentinel.reload(site(upstream))
  assert.equal(outcome.event, 'reloaded', outcome.msg)
}

test('connections of targets that stay live on through reloads that change others, weights, the policy, or nothing', async (t) => {
  const [a, b, c] = [await server(t, 'a'), await server(t, 'b'), await server(t, 'c')]
  const sentinel = await startSentinel(t, site(`${to(a)}; ${to(b)}`))
  const open = [sentinel.get('/hold'), sentinel.get('/hold'), sentinel.get('/hold'), sentinel.get('/hold')]
  await until(() => a.holding() === 2 && b.holding() === 2)
  const sockets = [...a.sockets]
  for (const changed of [
    `${to(a)}; ${to(b)}`, `${to(a, 'weight=3')}; ${to(b)}`, `${to(a)}; ${to(b)}; ${to(c)}`, `${to(a)}; ${to(c)}; load-balancing "random"`,
    `${to(a)}; ${to(b)}; load-balancing "sticky"; slow-start { duration "1s" }`, `${to(b, 'backup=#true')}; ${to(a, 'zone="x"')}`,
    `${to(a)}; ${to(b)}; timeouts { read "40s"; write "40s" }`,
  ]) {
    await reload(sentinel, changed)
    for (let i = 0; i < 4; i++) assert.equal((await sentinel.get('/')).status, 200)
  }
  for (const one of [a, b]) one.letGo()
  assert.deepEqual((await Promise.all(open)).map(({ text }) => text).sort(), ['a', 'a', 'b', 'b'])
  assert.ok(sockets.every((socket) => a.sockets.has(socket) && !socket.destroyed))
  const before = a.connections
  await reload(sentinel, `${to(a)}`)
  for (let i = 0; i < 4; i++) assert.equal((await sentinel.get('/')).text, 'a')
  assert.equal(a.connections, before)
})

test('a removed target gets nothing new, finishes what it has, and its unused connections close', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const sentinel = await startSentinel(t, site(to(a)))
  const open = sentinel.get('/hold')
  await until(() => a.holding() === 1)
  await Promise.all([sentinel.get('/'), sentinel.get('/')])
  await reload(sentinel, to(b))
  const served = a.served()
  for (let i = 0; i < 5; i++) assert.equal((await sentinel.get('/')).text, 'b')
  await until(() => a.sockets.size === 1)
  assert.equal(a.served(), served)
  a.letGo()
  assert.equal((await open).text, 'a')
  await until(() => a.sockets.size === 0)
})

waiting('connection-draining: what a removed target has not finished in time is cut, with a named fault', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const sentinel = await startSentinel(t, site(to(a)))
  const open = sentinel.get('/hold')
  await until(() => a.holding() === 1)
  const from = performance.now()
  await reload(sentinel, `${to(b)}; connection-draining { timeout "300ms" }`)
  assert.equal((await open).status, 502)
  assert.ok(performance.now() - from >= 290)
  assert.equal((await sentinel.accessed(({ path }) => path === '/hold')).fault, 'UPSTREAM_RESET')
  const last = sentinel.get('/hold')
  await until(() => b.holding() === 1)
  await reload(sentinel, `${to(a)}; connection-draining { enabled #false }`)
  assert.equal((await last).status, 502, 'cut at once')
  await until(() => b.sockets.size === 0)
})

waiting('a target that comes back before its time to finish is over keeps its connections', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const sentinel = await startSentinel(t, site(`${to(a)}; ${to(b)}`))
  const open = [sentinel.get('/hold'), sentinel.get('/hold')]
  await until(() => a.holding() === 1 && b.holding() === 1)
  const [socket] = a.sockets
  await reload(sentinel, `${to(b)}; connection-draining { timeout "5s" }`)
  await reload(sentinel, `${to(a)}; ${to(b)}; connection-draining { timeout "5s" }`)
  await new Promise((resolve) => { setTimeout(resolve, 5_200) })
  for (const one of [a, b]) one.letGo()
  assert.deepEqual((await Promise.all(open)).map(({ status }) => status), [200, 200])
  assert.ok(a.sockets.has(socket!))
})

test('a list that is replaced while it runs: requests under way finish, later ones see the new list', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const target = ({ port }: Server) => ({ host: '127.0.0.1', port, weight: 1 })
  const proxy = await startProxy(t, { targets: [a.port], upstream: { drainMs: 2_000 } })
  const open = request(proxy.port, '/hold')
  const late = request(proxy.port, '/hold').catch(() => undefined)
  await until(() => a.holding() === 2)
  proxy.upstream.set.replace([target(b)])
  assert.equal((await request(proxy.port, '/')).text, 'b')
  assert.deepEqual(proxy.upstream.targets.map(({ name }) => name), [`127.0.0.1:${b.port}`])
  a.letGo()
  assert.equal((await open).text, 'a')
  await late
  proxy.upstream.set.replace([target(a)])
  const cut = request(proxy.port, '/hold')
  await until(() => a.holding() === 1)
  proxy.upstream.set.replace([target(b)])
  assert.equal((await cut).status, 502)
  proxy.upstream.set.replace([])
  assert.equal((await request(proxy.port, '/')).status, 503)
  await proxy.exchange(5)
  assert.equal(proxy.done.filter(({ fault }) => fault?.code === 'NO_TARGET').length, 1)
})

test('a failing reload leaves shares and connections as they were', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const sentinel = await startSentinel(t, site(`${to(a, 'weight=3')}; ${to(b)}`))
  const names = async (): Promise<string> => {
    let text = ''
    for (let i = 0; i < 8; i++) text += (await sentinel.get('/')).text
    return [...text].sort().join('')
  }
  assert.equal(await names(), 'aaaaaabb')
  const { connections } = a
  const failing = site(`${to(a)}; ${to(b, 'weight=9')}`).replace('listeners {', `listeners { listener "other" { address "127.0.0.1:${a.port}" }`)
  assert.equal((await sentinel.reload(failing)).event, 'reload-failed')
  assert.equal(await names(), 'aaaaaabb')
  assert.equal(a.connections, connections)
})

waiting('slow-start: a target that a reload brings gets a small share at first, and all of it in the end', async (t) => {
  const [a, b] = [await server(t, 'a'), await server(t, 'b')]
  const slowly = 'slow-start { duration "60s" }'
  const sentinel = await startSentinel(t, site(`${to(a)}; ${slowly}`))
  await sentinel.get('/')
  await reload(sentinel, `${to(a)}; ${to(b)}; ${slowly}`)
  const weight = async (): Promise<number> => Number(new RegExp(`target_weight\\{upstream="app",target="127.0.0.1:${b.port}"\\} (\\S+)`).exec(await sentinel.metrics())![1])
  assert.ok(await weight() < 0.6)
  const seen = b.served()
  for (let i = 0; i < 10; i++) await sentinel.get('/')
  assert.ok(b.served() - seen < 5, `${b.served() - seen} of 10`)
  await reload(sentinel, `${to(a)}; ${to(b)}; slow-start { duration "1s" }`)
  while (await weight() < 1) await new Promise((resolve) => { setTimeout(resolve, 50) })
  const all = b.served()
  for (let i = 0; i < 10; i++) await sentinel.get('/')
  assert.equal(b.served() - all, 5)
})

test('max-pending and pending-timeout: so many wait for a connection, no longer than that, and the rest is refused at once', async (t) => {
  const a = await server(t, 'a')
  const sentinel = await startSentinel(t, site(`${to(a)}; connection-pool { max-connections 1; max-pending 2; pending-timeout "5s" }`))
  const first = sentinel.get('/hold')
  await until(() => a.holding() === 1)
  const from = performance.now()
  let waited = 0
  const waiting = ['/one', '/two'].map(async (path) => sentinel.get(path).finally(() => { waited++ }))
  while (!/target_waiting\{[^}]*\} 2/.test(await sentinel.metrics())) await new Promise((resolve) => { setTimeout(resolve, 5) })
  const refused = await sentinel.get('/three')
  assert.equal(refused.status, 503)
  assert.equal(waited, 0)
  assert.deepEqual((await Promise.all(waiting)).map(({ status }) => status), [503, 503])
  assert.ok(performance.now() - from >= 4_990)
  assert.equal((await sentinel.accessed(({ path }) => path === '/one')).fault, 'UPSTREAM_BUSY')
  a.letGo()
  assert.equal((await first).status, 200)
  assert.equal((await sentinel.get('/')).status, 200)
})

test('those that wait are served in their order when a connection gets free', async (t) => {
  const a = await server(t, 'a')
  const proxy = await startProxy(t, { targets: [a.port], upstream: { poolMaxConnections: 1, poolMaxWaiting: 10 } })
  const first = await rawClient(t, proxy.port, 'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => a.holding() === 1)
  const order: number[] = []
  const waiting = []
  for (let i = 0; i < 5; i++) {
    waiting.push(request(proxy.port, `/${i}`).then(({ text }) => { order.push(i); return text }))
    await until(() => proxy.upstream.targets[0]!.waiting === i + 1)
  }
  a.letGo()
  await Promise.all([first.answer(), ...waiting])
  assert.deepEqual(order, [0, 1, 2, 3, 4])
})
