import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { startProxy } from '../support/proxy.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request, type Answer } from '../support/request.ts'
import { startSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

async function fleet (t: TestContext, names: string): Promise<number[]> {
  const ports: number[] = []
  for (const name of names) ports.push((await startRecordingUpstream(t, (_, response) => response.setHeader('Set-Cookie', 'own=1').end(name))).port)
  return ports
}

function site (ports: readonly number[], balancing: string): string {
  return `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { ${ports.map((port) => `target "127.0.0.1:${port}"`).join('; ')}; load-balancing "sticky" { ${balancing} } } }
observability { metrics { address "127.0.0.1:0" } }
`
}

/** The session cookie of an answer, as a client sends it back. */
function cookieOf ({ headers }: Answer, name = 'SERVERID'): string | undefined {
  return headers['set-cookie']?.find((one) => one.startsWith(`${name}=`))?.split(';')[0]
}

/** Follows a session of so many requests: who answered, and how often a cookie was given. */
async function session (port: number, count: number, cookie?: string): Promise<{ readonly names: string, readonly given: number, readonly cookie: string | undefined }> {
  let names = ''
  let given = 0
  let last = cookie
  for (let i = 0; i < count; i++) {
    const answer = await request(port, '/', { headers: last === undefined ? {} : { cookie: `a=b; ${last}` } })
    names += answer.text
    assert.ok(answer.headers['set-cookie']!.includes('own=1'), 'cookies of the target are its own')
    const told = cookieOf(answer)
    if (told === undefined) continue
    given++
    last = told
  }
  return { names, given, cookie: last }
}

test('a session stays with the target that it began with, and its cookie is given once', async (t) => {
  const ports = await fleet(t, 'abc')
  const sentinel = await startSentinel(t, site(ports, ''))
  const sessions = await Promise.all(Array.from({ length: 6 }, () => session(sentinel.port(), 8)))
  for (const { names, given } of sessions) {
    assert.equal(new Set(names).size, 1, names)
    assert.equal(given, 1)
  }
  assert.equal(new Set(sessions.map(({ names }) => names[0])).size, 3, 'sessions are spread')
})

test('with a secret, instances agree about sessions, and a restart keeps them', async (t) => {
  const ports = await fleet(t, 'abcd')
  const kdl = site(ports, 'cookie-secret "${SECRET}"')
  const env = { SECRET: 'only the two of us know it' }
  const first = await startSentinel(t, kdl, { env })
  const second = await startSentinel(t, kdl, { env })
  const sessions = await Promise.all(Array.from({ length: 4 }, () => session(first.port(), 2)))
  await first.stop()
  const again = await startSentinel(t, kdl, { env })
  for (const { names, cookie } of sessions) {
    for (const { port } of [second, again]) assert.deepEqual(await session(port(), 3, cookie), { names: names[0]!.repeat(3), given: 0, cookie })
  }
})

test('without a secret a session ends with the process, and not with a reload', async (t) => {
  const ports = await fleet(t, 'ab')
  const first = await startSentinel(t, site(ports, ''))
  const { names, cookie } = await session(first.port(), 1)
  assert.equal((await first.reload(site([...ports, await deadPort()], ''))).event, 'reloaded')
  assert.deepEqual(await session(first.port(), 4, cookie), { names: names.repeat(4), given: 0, cookie })
  const second = await startSentinel(t, site(ports, ''))
  const other = await session(second.port(), 1, cookie)
  assert.equal(other.given, 1)
  assert.notEqual(other.cookie, cookie)
})

test('a session whose target left or is not well goes on with another one, and with its cookie', async (t) => {
  const ports = await fleet(t, 'abc')
  const sticky = { cookieName: 'S', ttlMs: 60_000, path: '/', secure: false, sameSite: 'lax', secret: 'a secret of the test', fallback: 'least-connections' } as const
  const proxy = await startProxy(t, { targets: ports, upstream: { balance: 'sticky', sticky } })
  const ask = async (cookie?: string): Promise<Answer> => request(proxy.port, '/', { headers: cookie === undefined ? {} : { cookie } })
  const began = await ask()
  const target = proxy.done[0]!.target
  const cookie = cookieOf(began, 'S')
  for (const bit of ['down', 'ejected', 'drained', 'open'] as const) {
    proxy.upstream.set.mark(target, bit, true)
    const moved = await ask(cookie)
    assert.notEqual(moved.text, began.text, bit)
    assert.equal((await ask(cookieOf(moved, 'S'))).text, moved.text, bit)
    proxy.upstream.set.mark(target, bit, false)
    assert.equal((await ask(cookie)).text, began.text, 'who kept the old cookie is back')
  }
  proxy.upstream.set.replace(proxy.upstream.set.targets.filter(({ name }) => name !== target).map(({ settings }) => settings))
  const last = await ask(cookie)
  assert.notEqual(last.text, began.text)
  assert.ok(cookieOf(last, 'S') !== undefined)
})

test('a session whose target cannot be reached moves at once, and its cookie with it', async (t) => {
  const [a] = await fleet(t, 'a')
  const dead = await deadPort()
  const sticky = { cookieName: 'S', ttlMs: 60_000, path: '/', secure: false, sameSite: 'lax', secret: 'a secret of the test', fallback: 'round-robin' } as const
  const proxy = await startProxy(t, { targets: [dead, a!], upstream: { balance: 'sticky', sticky } })
  for (let i = 0; i < 3; i++) {
    const answer = await request(proxy.port, '/')
    assert.deepEqual([answer.status, answer.text], [200, 'a'])
    assert.equal(cookieOf(await request(proxy.port, '/', { headers: { cookie: cookieOf(answer, 'S')! } }), 'S'), undefined)
  }
})

test('the cookie has the name and the attributes of the configuration', async (t) => {
  const ports = await fleet(t, 'a')
  const sentinel = await startSentinel(t, site(ports, 'cookie-name "shop_session"; cookie-ttl "10m"; cookie-path "/shop"; cookie-secure #false; cookie-same-site "strict"; fallback "p2c"'))
  const [, given] = (await sentinel.get('/')).headers['set-cookie']!
  assert.match(given!, /^shop_session=[\w-]{38}; Path=\/shop; Max-Age=600; HttpOnly; SameSite=Strict$/)
})

test('cookies that a client made up lead nowhere', async (t) => {
  const ports = await fleet(t, 'ab')
  const sentinel = await startSentinel(t, site(ports, 'cookie-secret "a secret of the test"'))
  for (const cookie of ['SERVERID=', 'SERVERID=a', `SERVERID=${'A'.repeat(38)}`, `SERVERID=127.0.0.1:${ports[0]}`, `SERVERID=${'x'.repeat(4_000)}`, 'SERVERID', 'XSERVERID=1; SERVERIDX=2', ';;=;SERVERID=;']) {
    const answer = await sentinel.get('/', { headers: { cookie } })
    assert.equal(answer.status, 200)
    assert.ok(cookieOf(answer) !== undefined, cookie)
  }
})
