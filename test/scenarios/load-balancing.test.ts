import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { balancers } from '../../proxy/upstreams/index.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'
import { closed, echoOf, echoServer, webSocketClient } from '../support/websocket.ts'

/** A server for each name, which answers with it; to `/hold` only when it is told to. */
async function fleet (t: TestContext, names: string): Promise<{ readonly ports: readonly number[], readonly held: Map<string, Array<() => void>> }> {
  const held = new Map<string, Array<() => void>>()
  const ports: number[] = []
  for (const name of names) {
    const waiting: Array<() => void> = []
    held.set(name, waiting)
    ports.push((await startRecordingUpstream(t, ({ url }, response) => {
      if (url.startsWith('/hold')) waiting.push(() => response.end(name))
      else response.end(name)
    })).port)
  }
  return { ports, held }
}

const until = (holds: () => boolean): Promise<void> => eventually('it holds', holds)

/** Who answered so many requests, one after the other. */
async function answers (port: number, count: number, head = '', path = '/'): Promise<string> {
  let names = ''
  for (let i = 0; i < count; i++) names += (await request(port, path, { headers: Object.fromEntries(head === '' ? [] : [head.split(': ') as [string, string]]) })).text
  return names
}

const site = (upstream: string, system = ''): string => `system { ${system} }
listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { ${upstream} } }
observability { metrics { address "127.0.0.1:0" } }
`
const targets = (ports: readonly number[]): string => ports.map((port) => `target "127.0.0.1:${port}"`).join('; ')

test('every policy that the language names serves, and asks all targets or, by what it hashes, one', async (t) => {
  const { ports } = await fleet(t, 'abc')
  const words = Object.keys(balancers)
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { ${words.map((word) => `route "${word}" { matches { path-prefix "/${word}/" }; upstream "${word}" }`).join('\n')} }
upstreams { ${words.map((word) => `upstream "${word}" { ${targets(ports)}; load-balancing "${word}" }`).join('\n')} }
observability { metrics { address "127.0.0.1:0" } }
`)
  for (const word of words) {
    const names = await answers(sentinel.port(), 60, '', `/${word}/`)
    assert.match(names, /^[abc]{60}$/, word)
    assert.equal(new Set(names).size, ['ip-hash', 'consistent-hash', 'maglev'].includes(word) ? 1 : 3, `${word}: ${names}`)
  }
  assert.equal(sentinel.log.filter(({ level }) => level >= 40).length, 0)
})

for (const word of ['least-connections', 'weighted-least-connections', 'power-of-two-choices', 'adaptive', 'least-tokens-queued'] as const) {
  test(`${word}: a target that is busy is left alone`, async (t) => {
    const { ports, held } = await fleet(t, 'ab')
    const proxy = await startProxy(t, { targets: ports, upstream: { balance: word } })
    const busy = await rawClient(t, proxy.port, 'GET /hold HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => held.get('a')!.length + held.get('b')!.length === 1)
    const [name, other] = held.get('a')!.length === 1 ? ['a', 'b'] as const : ['b', 'a'] as const
    assert.equal(await answers(proxy.port, 10), other.repeat(10))
    held.get(name)!.pop()!()
    await busy.answer()
    await until(() => proxy.upstream.targets.every(({ inFlight }) => inFlight === 0))
  })
}

test('least connections: an open WebSocket is an exchange like others, until it is closed', async (t) => {
  const servers = await Promise.all([echoServer(t), echoServer(t)])
  const proxy = await startProxy(t, { targets: servers.map(({ port }) => port), upgrades: true, upstream: { balance: 'least-connections' } })
  const counts = (): number[] => proxy.upstream.targets.map(({ inFlight }) => inFlight)
  const first = await webSocketClient(t, proxy.port)
  const [busy, idle] = counts()[0] === 1 ? [0, 1] : [1, 0]
  const others = [await webSocketClient(t, proxy.port)]
  assert.deepEqual(counts(), [1, 1])
  first.close()
  await closed(first)
  await until(() => counts()[busy] === 0)
  for (let i = 0; i < 3; i++) others.push(await webSocketClient(t, proxy.port))
  assert.deepEqual([counts()[busy], counts()[idle]], [2, 2])
  assert.equal(await echoOf(others[0]!, 'still there'), 'still there')
})

test('least tokens queued: long requests wait where less is waiting', async (t) => {
  const { ports, held } = await fleet(t, 'ab')
  const proxy = await startProxy(t, { targets: ports, upstream: { balance: 'least-tokens-queued' } })
  const post = (length: number): Promise<unknown> => rawClient(t, proxy.port, `POST /hold HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n${'x'.repeat(length)}`)
  await post(4_000)
  await until(() => held.get('a')!.length === 1)
  for (let i = 1; i <= 3; i++) {
    await post(400)
    await until(() => held.get('b')!.length === i)
  }
  assert.deepEqual(proxy.upstream.set.targets.map(({ queuedTokens }) => queuedTokens), [1_000, 300])
  for (const all of held.values()) for (const answer of all) answer()
  await until(() => proxy.upstream.set.targets.every(({ queuedTokens, inFlight }) => queuedTokens === 0 && inFlight === 0))
})

describe('a hash', () => {
  const keys: ReadonlyArray<readonly [key: string, same: (i: number) => readonly [head: string, path: string]]> = [
    ['header:X-Tenant', (i) => [`X-Tenant: t${i}`, '/']],
    ['cookie:sid', (i) => [`Cookie: a=b; sid=s${i}; c=d`, '/']],
    ['query:user', (i) => ['', `/?x=1&user=u${i}`]],
    ['path', (i) => ['', `/p${i}`]],
  ]
  for (const [key, of] of keys) {
    test(`of ${key}: the same value the same target, other values other ones`, async (t) => {
      const { ports } = await fleet(t, 'abcd')
      const proxies = await Promise.all([1, 2].map(() => startProxy(t, { targets: ports, upstream: { balance: 'consistent-hash', hashKey: key } })))
      const first: string[] = []
      for (let i = 0; i < 12; i++) {
        const names = await answers(proxies[0]!.port, 2, ...of(i)) + await answers(proxies[1]!.port, 1, ...of(i))
        assert.equal(new Set(names).size, 1, 'two proxies agree')
        first.push(names[0]!)
      }
      assert.ok(new Set(first).size >= 3, first.join(''))
      assert.equal(new Set(await answers(proxies[0]!.port, 5)).size, 1, 'without such a thing the client\'s address counts')
    })
  }

  test('of the client’s address: each client its target, which a trusted proxy may name', async (t) => {
    const { ports } = await fleet(t, 'abcd')
    const sentinel = await startSentinel(t, site(`${targets(ports)}; load-balancing "ip-hash"`).replace('address "127.0.0.1:0"', 'address "127.0.0.1:0"; trusted-proxies "127.0.0.0/8"'))
    const first: string[] = []
    for (let i = 0; i < 10; i++) {
      const names = await answers(sentinel.port(), 3, `X-Forwarded-For: 198.51.100.${i}`)
      assert.equal(new Set(names).size, 1)
      first.push(names[0]!)
    }
    assert.ok(new Set(first).size >= 3, first.join(''))
  })

  test('goes to the next target when its own is gone, and nobody else moves', async (t) => {
    const { ports } = await fleet(t, 'abc')
    const leaving = createServer((_, response) => response.end('d'))
    await new Promise<void>((resolve) => { leaving.listen(0, '127.0.0.1', resolve) })
    const { port } = leaving.address() as AddressInfo
    const proxy = await startProxy(t, { targets: [...ports, port], upstream: { balance: 'maglev', hashKey: 'path' } })
    const texts = async (): Promise<string[]> => (await Promise.all(Array.from({ length: 40 }, (_, i) => request(proxy.port, `/${i}`)))).map(({ status, text }) => `${status} ${text}`)
    const before = await texts()
    const moving = before.filter((text) => text === '200 d').length
    assert.ok(moving > 3 && moving < 20, String(moving))
    leaving.closeAllConnections()
    await new Promise((resolve) => { leaving.close(resolve) })
    for (const isKnown of [false, true]) {
      if (isKnown) proxy.upstream.set.mark(`127.0.0.1:${port}`, 'down', true)
      const after = await texts()
      assert.ok(after.every((text) => /^200 [abc]$/.test(text)), after.join())
      const differ = before.filter((text, i) => text !== '200 d' && text !== after[i]).length
      assert.ok(differ <= 4, `${differ} moved without need`)
    }
  })
})

test('locality-aware: the zone of the environment, or of the system block, is asked', async (t) => {
  const { ports: [a, b] } = await fleet(t, 'ab')
  const upstream = `target "127.0.0.1:${a}" zone="eu-1"; target "127.0.0.1:${b}" { metadata { zone "eu-2" } }; load-balancing "locality-aware"`
  const byEnvironment = await startSentinel(t, site(upstream), { env: { SENTINEL_ZONE: 'eu-2' } })
  assert.equal(await answers(byEnvironment.port(), 6), 'bbbbbb')
  const bySystem = await startSentinel(t, site(upstream, 'zone "eu-1"'), { env: { SENTINEL_ZONE: 'eu-2' } })
  assert.equal(await answers(bySystem.port(), 6), 'aaaaaa')
})

test('deterministic-subset: a proxy keeps to its targets, also after a restart', async (t) => {
  const { ports } = await fleet(t, 'abcdef')
  const kdl = (id: string): string => site(`${targets(ports)}; load-balancing "deterministic-subset" { subset-size 2 }`, `instance-id "${id}"`)
  const subset = async (id: string): Promise<string> => {
    const sentinel = await startSentinel(t, kdl(id))
    const names = [...new Set(await answers(sentinel.port(), 12))].sort().join('')
    await sentinel.stop()
    return names
  }
  const [one, again, ...others] = [await subset('one'), await subset('one'), await subset('two'), await subset('three')]
  assert.equal(one!.length, 2)
  assert.equal(again, one)
  assert.ok(others.some((names) => names !== one), [one, ...others].join())
})

test('targets of a higher number and backups answer only when nobody in front of them does', async (t) => {
  const { ports: [a, b, z] } = await fleet(t, 'abz')
  const dead = await deadPort()
  const tiers = (first: number): string => `target "127.0.0.1:${z}" { backup #true }; target "127.0.0.1:${b}" priority=1; target "127.0.0.1:${first}"`
  const sentinel = await startSentinel(t, site(tiers(a!)))
  assert.equal(await answers(sentinel.port(), 5), 'aaaaa')
  assert.equal((await sentinel.reload(site(tiers(dead)))).event, 'reloaded')
  assert.equal(await answers(sentinel.port(), 5), 'bbbbb')
  assert.equal((await sentinel.reload(site(tiers(dead).replace(String(b), String(await deadPort()))))).event, 'reloaded')
  assert.equal(await answers(sentinel.port(), 5), 'zzzzz')
  assert.equal((await sentinel.reload(site(tiers(a!)))).event, 'reloaded')
  assert.equal(await answers(sentinel.port(), 5), 'aaaaa')
})

test('metrics tell how often each target was picked and what it has', async (t) => {
  const { ports: [a, b], held } = await fleet(t, 'ab')
  const sentinel = await startSentinel(t, site(`target "127.0.0.1:${a}" weight=3; target "127.0.0.1:${b}"`))
  await answers(sentinel.port(), 8)
  const open = sentinel.get('/hold')
  await until(() => held.get('a')!.length === 1)
  const text = await sentinel.metrics()
  for (const [name, first, second] of [['picks_total', 7, 2], ['in_flight', 1, 0], ['waiting', 0, 0], ['weight', 3, 1], ['connections', 1, 1]] as const) {
    assert.match(text, new RegExp(`^sentinel_upstream_target_${name}\\{upstream="app",target="127\\.0\\.0\\.1:${a}"\\} ${first}$`, 'm'))
    assert.match(text, new RegExp(`^sentinel_upstream_target_${name}\\{upstream="app",target="127\\.0\\.0\\.1:${b}"\\} ${second}$`, 'm'))
  }
  assert.match(text, /^sentinel_upstream_panic\{upstream="app"\} 0$/m)
  held.get('a')![0]!()
  await open
})
