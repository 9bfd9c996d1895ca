// A kept answer on disk that goes between the moment in which it is found and the one in which it is read: nobody is cut off for that.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import type { Store } from '../../../proxy/cache/store.ts'
import type { Kept } from '../../../proxy/cache/stored.ts'
import { cacheRoute, storeFor, type CacheRoute } from '../../support/cache-route.ts'

/** Longer than what is read with the head of a file. */
const long = (what: string): string => `${what} ${'x'.repeat(200_000)}`

/** A route that keeps "first" on disk; `meanwhile` happens to what is found the next time. */
async function routeWith (t: TestContext, meanwhile: (store: Store, kept: Kept) => unknown): Promise<CacheRoute> {
  const route = cacheRoute(t, {}, storeFor(t, 'disk'))
  route.origin = (_, count) => ({ headers: ['Cache-Control', 'max-age=60'], body: long(count === 1 ? 'first' : 'fetched anew') })
  assert.equal(await route.text('/a'), long('first'))
  const { store } = route.cache
  const find = store.find.bind(store)
  t.mock.method(store, 'find', async (...asked: Parameters<Store['find']>) => {
    const kept = await find(...asked)
    if (kept !== undefined) await meanwhile(store, kept)
    return kept
  }, { times: 1 })
  return route
}

test('when another answer takes its place, that one is given', async (t) => {
  const route = await routeWith(t, (store, { stored }) => store.put({ ...stored, length: long('other').length }, Buffer.from(long('other'))))
  const { text, cache } = await route.ask('/a')
  assert.deepEqual([text === long('other'), cache, route.requests.length], [true, 'hit', 1])
})

test('when room is made, or it is purged, it is fetched anew', async (t) => {
  const route = await routeWith(t, (store) => store.purge(() => true))
  const { text, cache } = await route.ask('/a')
  assert.deepEqual([text === long('fetched anew'), cache, route.requests.length], [true, 'miss', 2])
})

test('once it is opened it is read to its end', async (t) => {
  const route = await routeWith(t, () => {})
  const { body } = await route.reply('/a')
  await route.cache.store.purge(() => true)
  let bytes = 0
  for (let piece = await body!.read(); piece !== undefined; piece = await body!.read()) bytes += piece.length
  assert.equal(bytes, long('first').length)
})
