// How many requests may come in a time: `filter { type "rate-limit" }`, policies, `rate-limits` and `limits`.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import { test, type TestContext } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { oneOfThree } from '../support/within.ts'

interface Given {
  readonly route?: string
  readonly filter?: string
  readonly rest?: string
}

function kdl ({ route = 'filters "limit"', filter, rest = '' }: Given): string {
  return `listeners { listener "web" { address "127.0.0.1:0"; trusted-proxies "127.0.0.1" } }
routes {
    route "all" { matches { path-prefix "/" }; respond 200 "ok"; ${route} }
    route "free" { matches { path-prefix "/free" }; respond 200 "ok" }
}
${filter === undefined ? '' : `filters { filter "limit" { type "rate-limit"; ${filter} } }`}
${rest}
observability { metrics { enabled #false } }
`
}

// What is counted is what comes within a second, which a machine that is busy may not have: `oneOfThree`.
const start = (t: TestContext, given: Given): Promise<RunningSentinel> => startSentinel(t, kdl(given))

async function statuses (sentinel: RunningSentinel, count: number, path = '/', headers: Record<string, string> = {}): Promise<number[]> {
  const got: number[] = []
  for (let i = 0; i < count; i++) got.push((await sentinel.get(path, { headers })).status)
  return got
}

test('a burst passes, more are refused with 429, a reason and the time to wait, and the fields of the IETF draft and of old', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, { filter: 'max-rps 1; burst 2' })
    const first = await sentinel.get('/')
    assert.equal(first.status, 200)
    assert.equal(first.headers['ratelimit-policy'], '"limit";q=3;w=3')
    assert.match(String(first.headers['ratelimit']), /^"limit";r=2;t=1$/)
    assert.deepEqual([first.headers['x-ratelimit-limit'], first.headers['x-ratelimit-remaining']], ['3', '2'])
    assert.deepEqual(await statuses(sentinel, 2), [200, 200])
    const refused = await sentinel.get('/')
    assert.equal(refused.status, 429)
    assert.equal(refused.headers['retry-after'], '1')
    assert.equal(refused.headers['x-ratelimit-remaining'], '0')
    assert.match(refused.text, /Too many requests/)
    assert.equal((await sentinel.accessed(({ status }) => status === 429)).fault, 'RATE_LIMITED')
  })
})

test('status and words of a refusal are the operator\'s', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, { filter: 'max-rps 1; burst 0; status-code 503; message "slow down, please"' })
    assert.equal((await sentinel.get('/')).status, 200)
    const refused = await sentinel.get('/')
    assert.deepEqual([refused.status, refused.text], [503, 'slow down, please'])
  })
})

test('clients count for themselves: by address behind trusted proxies, an IPv6 client by its /64', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, { filter: 'max-rps 1; burst 0' })
    const from = async (address: string) => (await sentinel.get('/', { headers: { 'X-Forwarded-For': address } })).status
    assert.deepEqual([await from('192.0.2.1'), await from('192.0.2.1'), await from('192.0.2.2')], [200, 429, 200])
    assert.deepEqual([await from('2001:db8::1'), await from('2001:db8::ffff'), await from('2001:db8:0:1::1')], [200, 429, 200])
  })
})

test('another prefix of IPv6 may count, and an address of IPv4 counts whole all the same', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, { filter: 'max-rps 1; burst 0; key "client-ip/52"' })
    const from = async (address: string) => (await sentinel.get('/', { headers: { 'X-Forwarded-For': address } })).status
    assert.deepEqual([await from('2001:db8:1:1000::1'), await from('2001:db8:1:1fff::1'), await from('2001:db8:1:2000::1')], [200, 429, 200])
    assert.deepEqual([await from('192.0.2.1'), await from('192.0.2.2')], [200, 200])
  })
})

test('keys may be header, cookie, parameter, host, path, claim, or several together', async (t) => {
  await oneOfThree(async () => {
    const claims = (sub: string): string => `Bearer x.${Buffer.from(JSON.stringify({ sub })).toString('base64url')}.y`
    const cases: ReadonlyArray<readonly [string, string, Record<string, string>, string, Record<string, string>]> = [
      ['header:X-Key', '/', { 'X-Key': 'a' }, '/', { 'X-Key': 'b' }],
      ['cookie:session', '/', { Cookie: 'x=1; session=a' }, '/', { Cookie: 'x=1; session=b' }],
      ['query:tenant', '/?tenant=a', {}, '/?tenant=b', {}],
      ['host', '/', { Host: 'a.test' }, '/', { Host: 'b.test' }],
      ['path', '/a', {}, '/b', {}],
      ['jwt:sub', '/', { Authorization: claims('a') }, '/', { Authorization: claims('b') }],
      ['header:X-Key+path', '/a', { 'X-Key': 'a' }, '/a', { 'X-Key': 'b' }],
    ]
    const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
  routes { ${cases.map((_, i) => `route "by-${i}" { matches { path-prefix "/by-${i}" }; respond 200 "ok"; filters "by-${i}" }`).join('\n')} }
  filters { ${cases.map(([key], i) => `filter "by-${i}" { type "rate-limit"; max-rps 1; burst 0; key "${key}" }`).join('\n')} }
  observability { metrics { enabled #false } }
  `)
    for (const [i, [key, path, headers, otherPath, otherHeaders]] of cases.entries()) {
      assert.deepEqual(await statuses(sentinel, 2, `/by-${i}${path}`, headers), [200, 429], key)
      assert.deepEqual(await statuses(sentinel, 1, `/by-${i}${otherPath}`, otherHeaders), [200], key)
    }
  })
})

test('requests over the limit may wait for their turn instead, no longer than is said, and not for a client that left', async (t) => {
  const sentinel = await start(t, { filter: 'max-rps 1; burst 0; on-limit "delay"; max-delay "2100ms"' })
  const answers = await Promise.all(Array.from({ length: 6 }, () => sentinel.get('/')))
  const passed = answers.filter(({ status }) => status === 200).map(({ ms }) => ms).sort((a, b) => a - b)
  assert.equal(passed.length, 3)
  assert.ok(passed[2]! >= 1_000, `the last waited ${passed[2]} ms`)
  assert.equal(answers.filter(({ status }) => status === 429).length, 3)
  const request = http.get({ port: sentinel.port(), path: '/left' })
  request.on('error', () => {})
  request.end()
  await once(request, 'finish')
  request.destroy()
  assert.equal((await sentinel.accessed(({ path }) => path === '/left')).fault, 'CLIENT_GONE')
})

test('a limit may only be noted', async (t) => {
  const sentinel = await start(t, { filter: 'max-rps 1; burst 0; on-limit "log-only"' })
  assert.deepEqual(await statuses(sentinel, 3), [200, 200, 200])
})

test('a route has limits of its own for each client and for all of them; routes without one have the default', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, {
      route: 'policies { rate-limit { requests-per-second 1; burst 1 }; global-rate-limit { requests-per-second 1; burst 2 } }',
      rest: 'rate-limits { default-rps 1; default-burst 3 }',
    })
    const from = (address: string): Record<string, string> => ({ 'X-Forwarded-For': address })
    assert.deepEqual(await statuses(sentinel, 3, '/', from('192.0.2.1')), [200, 200, 429])
    assert.deepEqual(await statuses(sentinel, 1, '/', from('192.0.2.2')), [429], 'all together had three')
    assert.deepEqual(await statuses(sentinel, 5, '/free'), [200, 200, 200, 200, 429])
  })
})

test('the proxy as a whole, each client and each route have limits', async (t) => {
  await oneOfThree(async () => {
    for (const [limits, path, other] of [
      ['max-requests-per-second-global 2', '/', 429], ['max-requests-per-second-per-client 2', '/', 429], ['max-requests-per-second-per-route 2', '/', 200],
    ] as const) {
      const sentinel = await start(t, { route: '', rest: `limits { ${limits} }` })
      assert.deepEqual(await statuses(sentinel, 3, path), [200, 200, 429], limits)
      assert.deepEqual(await statuses(sentinel, 1, '/free'), [other], limits)
      await sentinel.stop()
    }
  })
})

test('a listener has a limit of its own for all its routes', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await startSentinel(t, `listeners {
      listener "web" { address "127.0.0.1:0"; rate-limit { requests-per-second 1; burst 1; key "client-ip"; status-code 503; message "one at a time" } }
      listener "inside" { address "127.0.0.1:0" }
  }
  routes {
      route "all" { matches { path-prefix "/" }; respond 200 "ok" }
      route "other" { matches { path-prefix "/other" }; respond 200 "ok" }
  }
  observability { metrics { address "127.0.0.1:0" } }`)
    assert.deepEqual([...await statuses(sentinel, 1), ...await statuses(sentinel, 1, '/other')], [200, 200])
    const refused = await sentinel.get('/other')
    assert.deepEqual([refused.status, refused.text, refused.headers['ratelimit-policy']], [503, 'one at a time', '"web";q=2;w=2'])
    for (let i = 0; i < 4; i++) assert.equal((await request(sentinel.port('inside'), '/')).status, 200)
    const metrics = await sentinel.metrics()
    assert.match(metrics, /^sentinel_rate_limit_hits_total\{scope="listener",name="web",route="other"\} 1$/m)
    assert.match(metrics, /^sentinel_rate_limit_allowed_total\{scope="listener",name="web",route="all"\} 1$/m)
    assert.match(metrics, /^sentinel_rate_limit_keys\{scope="listener",name="web"\} 1$/m)
  })
})

test('limits of routes may delay or only note as well', async (t) => {
  const delaying = await start(t, { route: 'policies { rate-limit { requests-per-second 5; burst 0; on-limit "delay"; max-delay "10s" } }' })
  const answers = await Promise.all(Array.from({ length: 4 }, () => delaying.get('/')))
  assert.deepEqual(answers.map(({ status }) => status), [200, 200, 200, 200])
  assert.ok(Math.max(...answers.map(({ ms }) => ms)) >= 500)
  const noting = await start(t, { route: '', rest: 'rate-limits { default-rps 1; default-burst 0; on-limit "log-only" }' })
  assert.deepEqual(await statuses(noting, 3, '/free'), [200, 200, 200])
})

test('a limit by what an agent says is asked after the agent', async (t) => {
  await oneOfThree(async () => {
    const sentinel = await start(t, {
      route: 'policies { rate-limit { requests-per-second 1; burst 0; key "attribute:tenant" } }',
      rest: `agents { agent "says" { command "${process.execPath}" "${fromDist('test', 'support', 'agents', 'scripted.js')}"; events "request_headers"; timeout "10s" } }`,
    })
    const of = (tenant: string): Record<string, string> => ({ 'X-Script': JSON.stringify({ request: { do: 'allow', extras: { attributes: { tenant } } } }) })
    assert.deepEqual(await statuses(sentinel, 2, '/', of('a')), [200, 429])
    assert.deepEqual(await statuses(sentinel, 1, '/', of('b')), [200])
  })
})

test('a reload forgives nobody', async (t) => {
  await oneOfThree(async () => {
    const filter = 'max-rps 1; burst 1'
    const sentinel = await start(t, { filter })
    assert.deepEqual(await statuses(sentinel, 3), [200, 200, 429])
    await sentinel.reload(kdl({ filter: `${filter}; message "still too many"`, rest: '// another text' }))
    const [after] = await statuses(sentinel, 1)
    assert.equal(after, 429)
  })
})
