// Web cache poisoning and deception: nothing that one client sends may end up in what others get, and nothing of one client may be given to another.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { cacheRoute } from '../support/cache-route.ts'
import { startCached } from '../support/cached.ts'
import { rawClient } from '../support/raw-client.ts'

const fresh = ['Cache-Control', 'public, max-age=60']

/** An application that repeats what it was told, as vulnerable ones do. */
const echoes = (...names: readonly string[]) => ({ request: { headers, query } }: { request: { headers: HeaderList, query: string } }) => (
  { headers: fresh, body: `${query} ${names.map((name) => headers.get(name) ?? '').join(' ')}` })

for (const name of [
  'X-Original-URL', 'X-Rewrite-URL', 'X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override', 'X-Host', 'X-Original-Host', 'X-Forwarded-Server', 'X-Forwarded-Scheme',
  'X-Forwarded-Prefix', 'X_Original_URL', 'x-http-method-override', 'Front-End-Https',
]) {
  test(`${name} is in no key, so it does not reach the application where the answer may be kept`, async (t) => {
    const route = cacheRoute(t)
    route.origin = echoes(name.toLowerCase())
    await route.ask('/', { headers: [name, 'evil'] })
    assert.doesNotMatch(await route.text('/'), /evil/)
    assert.equal(route.requests.length, 1)
  })
}

test('a field that the operator names in vary-headers does, and makes another answer', async (t) => {
  const route = cacheRoute(t, { varyHeaders: ['x-host'] })
  route.origin = echoes('x-host')
  assert.match(await route.text('/', { headers: ['X-Host', 'a'] }), /a/)
  assert.doesNotMatch(await route.text('/'), /a/)
})

test('X-Forwarded-Host, -Proto and -Port of a client reach nobody: what is said of the host is the one that is in the key', async (t) => {
  const { sentinel, upstream } = await startCached(t, { say: ({ headers }) => ({ headers: { 'Cache-Control': 'max-age=60' }, body: JSON.stringify(headers) }) })
  const evil = { 'X-Forwarded-Host': 'evil.test', 'X-Forwarded-Proto': 'gopher', 'X-Forwarded-Port': '666', 'Forwarded': 'host=evil.test', 'X-Host': 'evil.test' }
  await sentinel.get('/', { headers: { Host: 'shop.test', ...evil } })
  const { text } = await sentinel.get('/', { headers: { Host: 'shop.test' } })
  assert.doesNotMatch(text, /evil|gopher|666/)
  assert.equal(upstream.requests.length, 1)
})

test('a GET with a body is neither answered from what is kept nor kept', async (t) => {
  const route = cacheRoute(t)
  route.origin = ({ requestBody }) => ({ headers: fresh, body: requestBody === undefined ? 'good' : 'evil' })
  assert.equal((await route.ask('/', { body: bodyOf(Buffer.from('evil')) })).cache, 'bypass')
  assert.equal(await route.text('/'), 'good')
  assert.equal(await route.text('/', { body: bodyOf(Buffer.from('evil')) }), 'evil')
  assert.equal(await route.text('/'), 'good')
})

test('parameters that are in no key do not reach the application', async (t) => {
  const route = cacheRoute(t, { ignoreQueryParams: ['utm_source'] })
  route.origin = echoes()
  assert.equal(await route.text('/?a=1&utm_source=evil&b=2'), 'a=1&b=2 ')
  assert.equal((await route.ask('/?a=1&b=2')).cache, 'hit')
  assert.equal((await route.ask('/?a=1&utm%5Fsource=x&b=2')).cache, 'hit', 'in another spelling')
  assert.equal((await route.ask('/?a=1&b=2;utm_source=evil')).cache, 'miss', 'what some applications part at ";" is not parted here')
  assert.equal((await route.ask('/?b=2&a=1')).cache, 'miss')
})

test('with vary-query-params no other one does', async (t) => {
  const route = cacheRoute(t, { varyQueryParams: ['page'] })
  route.origin = echoes()
  assert.equal(await route.text('/?page=1&evil=1'), 'page=1 ')
  assert.deepEqual([(await route.ask('/?page=1&x=2')).cache, (await route.ask('/?page=2')).cache, (await route.ask('/?page=1&page=2')).cache], ['hit', 'miss', 'miss'])
})

test('paths that an application may read in another way than the proxy have answers of their own', async (t) => {
  const route = cacheRoute(t)
  route.origin = ({ request }) => ({ headers: fresh, body: request.upstreamPath })
  const paths = ['/a/b', '/a//b', '/a%2Fb', '/a%2fb', '/a;x/b', '/a/b/', '/a\\b', '/A/b', '/%61/b', '/a/b%00', '/a/b%0d']
  for (const path of paths) assert.equal(await route.text(path), path)
  for (const path of paths) assert.equal(await route.text(path), path)
  assert.equal(route.requests.length, paths.length)
  // Dot segments are resolved before anybody sees them: one path, one answer.
  assert.deepEqual([await route.text('/x/../a/b'), await route.text('/a/%2e%2e/a/b')], ['/a/b', '/a/b'])
})

test('what is in one part of a key cannot look like another part of it', async (t) => {
  const route = cacheRoute(t, { varyHeaders: ['a', 'b'] })
  assert.deepEqual([
    await route.text('/x', { headers: ['A', '1', 'B', '2'] }), await route.text('/x', { headers: ['A', '1, 2'] }), await route.text('/x', { headers: ['A', '12'] }),
    await route.text('/x', { headers: ['B', '12'] }), await route.text('/x?a', { headers: [] }), await route.text('/x', { headers: ['A', '', 'B', ''] }), await route.text('/x'),
  ], ['1', '2', '3', '4', '5', '6', '7'])
})

test('an absolute request target does not choose another host\'s answers', async (t) => {
  const { sentinel } = await startCached(t, { say: ({ headers }) => ({ headers: { 'Cache-Control': 'max-age=60' }, body: `for ${headers.host}` }) })
  const client = await rawClient(t, sentinel.port(), 'GET http://evil.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n')
  assert.match((await client.answer()).body, /evil/)
  assert.equal((await sentinel.get('/', { headers: { Host: 'shop.test' } })).text, 'for shop.test')
})

test('a page of a client with a cookie is not kept unless it says for how long: no path makes it public', async (t) => {
  const route = cacheRoute(t, { defaultTtlMs: 60_000 })
  route.origin = ({ request }) => ({ body: `account of ${request.headers.get('cookie') ?? 'nobody'}` })
  for (const path of ['/account', '/account/x.css', '/account;x.js', '/account%2F..%2Fstyle.css']) {
    assert.equal(await route.text(path, { headers: ['Cookie', 'session=victim'] }), 'account of session=victim')
    assert.equal(await route.text(path), 'account of nobody')
  }
})

test('answers with Set-Cookie, and answers to passwords, are never shared, not even among those who wait for one of them', async (t) => {
  const route = cacheRoute(t)
  route.origin = async ({ request }, count) => {
    await new Promise((go) => { setTimeout(go, 20) })
    return { headers: ['Cache-Control', 'max-age=60', ...request.headers.has('authorization') ? [] : ['Set-Cookie', `session=${count}`]], body: `for ${request.headers.get('authorization') ?? count}` }
  }
  const cookies = await Promise.all(Array.from({ length: 5 }, () => route.ask('/')))
  assert.equal(new Set(cookies.map(({ headers }) => headers.get('set-cookie'))).size, 5)
  const passwords = await Promise.all(['a', 'b', 'c'].map((word) => route.text('/p', { headers: ['Authorization', word] })))
  assert.deepEqual(passwords, ['for a', 'for b', 'for c'])
})

test('private answers, where they are kept, are given to the same client alone', async (t) => {
  const route = cacheRoute(t, { cachePrivate: true })
  route.origin = ({ request: { headers } }, count) => ({ headers: ['Cache-Control', 'private, max-age=60'], body: `${count} ${headers.get('cookie') ?? ''}${headers.get('authorization') ?? ''}` })
  const ask = (headers: readonly string[], address = '192.0.2.1'): Promise<string> => route.text('/', { headers, address })
  assert.deepEqual([
    await ask(['Cookie', 'a']), await ask(['Cookie', 'b']), await ask(['Cookie', 'a']), await ask([]), await ask([], '192.0.2.2'), await ask(['Authorization', 'a']), await ask(['Authorization', 'a']),
  ], ['1 a', '2 b', '1 a', '3 ', '4 ', '5 a', '5 a'])
})

test('what an agent says of a client is part of the key, whether it said beforehand that it would or not', async (t) => {
  for (const known of [true, false]) {
    const route = cacheRoute(t, known ? { guardedHeaders: () => new Set(['x-user']) } : {})
    route.origin = echoes('x-user')
    const as = (user: string) => route.text('/', { change (x) {
      x.request.headers.set('X-User', user)
      if (!known) x.edited = new Set(['x-user'])
    } })
    assert.deepEqual([await as('ann'), await as('bob'), await as('ann')], [' ann', ' bob', ' ann'])
    assert.equal(route.requests.length, 2)
    t.mock.timers.reset()
  }
})

test('an agent that sends a request elsewhere gets another answer than the route\'s own upstream', async (t) => {
  const route = cacheRoute(t)
  assert.equal(await route.text('/'), '1')
  assert.equal(await route.text('/', { change: (x) => { x.request.upstreamPath = '/elsewhere' } }), '2')
  assert.equal(await route.text('/', { change: (x) => { x.request.headers.set('Host', 'elsewhere.test') } }), '3')
  assert.equal(await route.text('/', { change: (x) => { x.request.query = 'rewritten' } }), '4')
})

test('errors of the proxy, and of a request that only one client could send, are not kept for others (cache-poisoned denial of service)', async (t) => {
  const { sentinel } = await startCached(t, { say: ({ headers }) => headers['x-bad'] === undefined ? { headers: { 'Cache-Control': 'max-age=60' } } : { status: 400, body: 'bad' } })
  const client = await rawClient(t, sentinel.port(), `GET / HTTP/1.1\r\nHost: 127.0.0.1:${sentinel.port()}\r\nX-Large: ${'a'.repeat(20_000)}\r\n\r\n`)
  assert.equal((await client.answer()).status, 431)
  assert.equal((await sentinel.get('/', { headers: { 'X-Bad': '1' } })).status, 400)
  assert.equal((await sentinel.get('/')).status, 200)
})

test('a client that invents values of a field that selects puts out only answers of that one address', async (t) => {
  const route = cacheRoute(t)
  route.origin = () => ({ headers: [...fresh, 'Vary', 'Accept-Language'] })
  await route.ask('/other')
  for (let i = 0; i < 500; i++) await route.ask('/', { headers: ['Accept-Language', `x-${i}`] })
  assert.equal((await route.ask('/other')).cache, 'hit')
  assert.ok(route.cache.counts.memory.entries <= 65)
})

test('an application that is in doubt is asked: a broken answer is never kept', async (t) => {
  const { sentinel } = await startCached(t, {
    say: (_, count) => count === 1 ? { headers: { 'Cache-Control': 'max-age=60', 'Content-Length': '100' }, body: 'half' } : { headers: { 'Cache-Control': 'max-age=60' }, body: 'whole' },
    route: 'policies { timeouts { read "2s" } }',
  })
  await assert.rejects(sentinel.get('/'))
  assert.equal((await sentinel.get('/')).text, 'whole')
})
