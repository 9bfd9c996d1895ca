// `route { cache { … } }`: an answer that may be given again is given again, to whom it may be given, for as long as it is right.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCached } from '../support/cached.ts'

const minute = { 'Cache-Control': 'max-age=60' }

test('an answer is fetched once and given to all, with its age, and the log, the metrics and Cache-Status say so', async (t) => {
  const { sentinel, upstream, get } = await startCached(t, { say: () => ({ headers: minute }) })
  assert.equal(await get('/a'), '1')
  const second = await sentinel.get('/a')
  assert.equal(second.text, '1')
  assert.match(String(second.headers['age']), /^\d+$/)
  assert.match(String(second.headers['cache-status']), /^sentinel; hit; ttl=\d+$/)
  assert.equal(upstream.requests.length, 1)
  assert.equal((await sentinel.accessed((line) => line['cache'] === 'miss'))['upstream'], 'app')
  assert.equal((await sentinel.accessed((line) => line['cache'] === 'hit'))['upstream'], undefined)
  const metrics = await sentinel.metrics()
  assert.match(metrics, /^sentinel_cache_hits_total\{route="all",kind="hit"\} 1$/m)
  assert.match(metrics, /^sentinel_cache_misses_total\{route="all",kind="miss"\} 1$/m)
  assert.match(metrics, /^sentinel_cache_stores_total 1$/m)
  assert.match(metrics, /^sentinel_cache_entries\{place="memory"\} 1$/m)
})

test('hosts, paths, queries and schemes have answers of their own', async (t) => {
  const { get, upstream } = await startCached(t, { say: () => ({ headers: minute }) })
  assert.deepEqual([
    await get('/a', { headers: { Host: 'one.test' } }), await get('/a', { headers: { Host: 'two.test' } }), await get('/b', { headers: { Host: 'one.test' } }),
    await get('/a?x=1', { headers: { Host: 'one.test' } }), await get('/a', { headers: { Host: 'ONE.test' } }),
  ], ['1', '2', '3', '4', '1'])
  assert.equal(upstream.requests.length, 4)
})

test('a route without a cache, and one of which it was switched off, fetch each time', async (t) => {
  const { get } = await startCached(t, { say: () => ({ headers: minute }), place: 'enabled #false' })
  assert.equal(await get('/a'), '1')
  assert.equal(await get('/a'), '2')
})

test('an answer whose age cannot be read, or has several values, is out of date', async (t) => {
  const ages: Readonly<Record<string, string | readonly string[]>> = { '/young': '0', '/list': '0, 0', '/lines': ['0', '0'], '/unreadable': 'new', '/parameter': '0;a=1' }
  const { get } = await startCached(t, { say: ({ url }) => ({ headers: { ...minute, Age: ages[url]! } }) })
  assert.deepEqual([await get('/young'), await get('/young')], ['1', '1'])
  assert.deepEqual([await get('/list'), await get('/list'), await get('/lines'), await get('/lines')], ['2', '3', '4', '5'])
  assert.deepEqual([await get('/unreadable'), await get('/unreadable'), await get('/parameter'), await get('/parameter')], ['6', '7', '8', '9'])
})
