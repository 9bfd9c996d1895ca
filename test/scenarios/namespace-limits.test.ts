// `limits` of a namespace and of a service: they bound what is theirs, and cost nobody else anything.
import assert from 'node:assert/strict'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/workers.ts'

interface Limits {
  readonly file?: string
  readonly shop?: string
  readonly pay?: string
  readonly system?: string
}

/** Two namespaces on one listener each; "/pay" of the first one is a service. `upstream`: where "/slow" goes. */
function kdl ({ file = '', shop = '', pay = '', system = '' }: Limits, upstream = 9): string {
  const route = (id: string): string => `route "${id}" { matches { path-prefix "/${id}" }; respond 200 "${id}" }`
  const slow = 'route "slow" { matches { path-prefix "/slow" }; upstream "slow" }'
  return `system { ${system} }
listeners { listener "shop" { address "127.0.0.1:0"; namespace "shop" }; listener "other" { address "127.0.0.1:0"; namespace "other" } }
upstreams { upstream "slow" { target "127.0.0.1:${upstream}" } }
limits { ${file} }
namespace "shop" { limits { ${shop} }; routes { ${route('cart')}; ${slow} }; service "pay" { limits { ${pay} }; routes { ${route('pay')} } } }
namespace "other" { routes { ${route('cart')}; ${slow} } }
observability { metrics { address "127.0.0.1:0" } }
`
}

const start = (t: TestContext, limits: Limits, upstream?: number): Promise<RunningSentinel> => startSentinel(t, kdl(limits, upstream))

/** Of so many at once: a limit of a second is one of as long as they take. */
function statuses (sentinel: RunningSentinel, listener: string, path: string, count: number): Promise<number[]> {
  return Promise.all(Array.from({ length: count }, async () => (await request(sentinel.port(listener), path)).status))
}

const ofEach = (status: number, of: readonly number[]): number => of.filter((one) => one === status).length

test('requests in a second: those of a service count for its namespace, too, and the other namespace notices nothing', async (t) => {
  const sentinel = await start(t, { shop: 'max-requests-per-second-global 5', pay: 'max-requests-per-second-global 2' })
  const began = performance.now()
  const paid = await statuses(sentinel, 'shop', '/pay', 20)
  const passed = ofEach(200, paid)
  assert.ok(passed >= 2 && passed <= 2 + 2 * (performance.now() - began) / 1000, `${passed} passed`)
  const bought = await statuses(sentinel, 'shop', '/cart', 20)
  assert.ok(ofEach(429, bought) > 0, 'five in a second')
  assert.equal(ofEach(200, await statuses(sentinel, 'other', '/cart', 20)), 20)
  assert.match(await sentinel.metrics(), /sentinel_scoped_rate_limit_hits_total\{namespace="shop",service="pay",route="shop:pay:pay"\} \d/)
})

test('requests in a second of each client, of a namespace', async (t) => {
  const sentinel = await start(t, { shop: 'max-requests-per-second-per-client 3' })
  assert.ok(ofEach(429, await statuses(sentinel, 'shop', '/cart', 10)) > 0)
  assert.equal(ofEach(200, await statuses(sentinel, 'other', '/cart', 10)), 10)
})

/** An upstream that keeps requests waiting until they are let go. */
async function holdingUpstream (t: TestContext): Promise<{ readonly port: number, readonly held: () => number, readonly letGo: () => void }> {
  const waiting = new Set<http.ServerResponse>()
  const upstream = await httpUpstream(t, (_message, response) => { waiting.add(response) })
  return {
    port: upstream.port,
    held: () => waiting.size,
    letGo () {
      for (const response of waiting) response.end('done')
      waiting.clear()
    },
  }
}

for (const workers of [1, 2]) {
  test(`requests at a time: one more gets 503 at once, and the place is free again after an answer, with ${workers} worker${workers > 1 ? 's' : ''}`, async (t) => {
    const upstream = await holdingUpstream(t)
    const sentinel = await start(t, { shop: 'max-in-flight-requests 2', system: `worker-threads ${workers}` }, upstream.port)
    const first = [request(sentinel.port('shop'), '/slow'), request(sentinel.port('shop'), '/slow')]
    await eventually(upstream.held, (held) => held === 2)
    for (let i = 0; i < 4; i++) assert.equal((await request(sentinel.port('shop'), '/pay')).status, 503, 'a service counts for its namespace')
    assert.equal((await request(sentinel.port('other'), '/cart')).status, 200)
    upstream.letGo()
    assert.deepEqual((await Promise.all(first)).map(({ status }) => status), [200, 200])
    await eventually(async () => (await request(sentinel.port('shop'), '/pay')).status, (status) => status === 200)
  })
}

test('connections of one client with a request in the namespace', async (t) => {
  const upstream = await holdingUpstream(t)
  const sentinel = await start(t, { shop: 'max-connections-per-client 1' }, upstream.port)
  const first = request(sentinel.port('shop'), '/slow')
  await eventually(upstream.held, (held) => held === 1)
  assert.equal((await request(sentinel.port('shop'), '/cart')).status, 503)
  const other = request(sentinel.port('other'), '/slow')
  await eventually(upstream.held, (held) => held === 2)
  upstream.letGo()
  assert.deepEqual([(await first).status, (await other).status], [200, 200])
  await eventually(async () => (await request(sentinel.port('shop'), '/cart')).status, (status) => status === 200)
})

test('sizes: the nearest limit counts, above the one around it as well as below', async (t) => {
  const sentinel = await start(t, { file: 'max-body-size "10B"', shop: 'max-body-size "20B"', pay: 'max-body-size "5B"' })
  const sends = async (listener: string, path: string, bytes: number): Promise<number> => (await request(sentinel.port(listener), path, { body: 'x'.repeat(bytes) })).status
  assert.deepEqual([await sends('shop', '/cart', 20), await sends('shop', '/cart', 21)], [200, 413])
  assert.deepEqual([await sends('shop', '/pay', 5), await sends('shop', '/pay', 6)], [200, 413])
  assert.deepEqual([await sends('other', '/cart', 10), await sends('other', '/cart', 11)], [200, 413])
})

test('request heads: a service may be stricter and more generous than its namespace on the same listener', async (t) => {
  const strict = await start(t, { shop: 'max-header-count 50', pay: 'max-header-count 10; max-header-value-size "100B"' })
  const fields = (count: number, length = 1): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${i}`, 'y'.repeat(length)]))
  const sends = async (sentinel: RunningSentinel, path: string, headers: Record<string, string>): Promise<number> => (await request(sentinel.port('shop'), path, { headers })).status
  assert.deepEqual([await sends(strict, '/cart', fields(40)), await sends(strict, '/pay', fields(40)), await sends(strict, '/cart', fields(60))], [200, 431, 431])
  assert.deepEqual([await sends(strict, '/cart', fields(1, 101)), await sends(strict, '/pay', fields(1, 101)), await sends(strict, '/pay', fields(1, 99))], [200, 431, 200])
  const generous = await start(t, { shop: 'max-header-size "1KiB"', pay: 'max-header-size "4KiB"' })
  assert.deepEqual([await sends(generous, '/pay', fields(1, 2000)), await sends(generous, '/cart', fields(1, 2000)), await sends(generous, '/pay', fields(1, 5000))], [200, 431, 431])
})
