import { strict as assert } from 'node:assert'
import { describe, test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { AgentFailure } from 'sentinel/sdk'
import { memoryStore } from '../../../sdk/store/memory.ts'
import { isRedisUrl, openStore } from '../../../sdk/store/open.ts'
import type { OwnedStore } from '../../../sdk/store/store.ts'
import { eventually } from '../../support/eventually.ts'
import { missing, redisCli, startRedis } from '../../support/redis.ts'

const silent = { debug () {}, info () {}, warn () {}, error () {} }

const stores: Readonly<Record<string, (t: TestContext) => Promise<OwnedStore>>> = {
  memory: () => openStore('memory', 'test', silent),
  async redis (t) {
    const { port } = await startRedis(t)
    const store = await openStore(`redis://127.0.0.1:${port}`, 'test', silent)
    t.after(() => store.close())
    return store
  },
}

for (const [name, open] of Object.entries(stores)) {
  const skip = name === 'redis' ? missing('redis-server') : undefined
  describe(`the store in ${name}`, skip === undefined ? {} : { skip }, () => {
    test('gives what was set, until it is deleted', async (t) => {
      const store = await open(t)
      assert.equal(await store.get('a'), undefined)
      await store.set('a', 'ä\n"1"')
      await store.set('b', '')
      assert.deepEqual([await store.get('a'), await store.get('b')], ['ä\n"1"', ''])
      await store.set('a', 'again')
      assert.equal(await store.get('a'), 'again')
      assert.deepEqual([await store.delete('a'), await store.delete('a'), await store.get('a')], [true, false, undefined])
    })

    test('forgets what has had its time, and a new value has a new one', async (t) => {
      const store = await open(t)
      await store.set('short', 'x', { ttlMs: 30 })
      await store.set('kept', 'x', { ttlMs: 30 })
      await store.set('kept', 'y')
      await eventually('the short one is gone', async () => await store.get('short') === undefined)
      await delay(40)
      assert.equal(await store.get('kept'), 'y')
    })

    test('counts without losing anything, up and down', async (t) => {
      const store = await open(t)
      const counts = await Promise.all(Array.from({ length: 50 }, () => store.increment('n')))
      assert.deepEqual(counts.sort((a, b) => a - b), Array.from({ length: 50 }, (_, i) => i + 1))
      assert.deepEqual([await store.increment('n', { by: -60 }), await store.increment('n', { by: 0 }), await store.get('n')], [-10, -10, '-10'])
      await store.set('m', '41')
      assert.equal(await store.increment('m'), 42)
    })

    test('a counter with a lifetime is a window: later calls do not prolong it', async (t) => {
      const store = await open(t)
      await store.increment('window', { ttlMs: 200 })
      await eventually('the window ends', async () => await store.increment('window', { ttlMs: 200 }) === 1)
    })

    test('a value that is no counter is not counted, nor one that would not fit into a number', async (t) => {
      const store = await open(t)
      for (const text of ['x', '', '1.5', '0x10', '99999999999999999999']) {
        await store.set('v', text)
        await assert.rejects(store.increment('v'), TypeError)
        assert.equal(await store.get('v'), text)
      }
      await store.set('v', String(Number.MAX_SAFE_INTEGER))
      await assert.rejects(store.increment('v'), RangeError)
      assert.equal(await store.increment('v', { by: -1 }), Number.MAX_SAFE_INTEGER - 1)
      assert.equal(await store.get('v'), String(Number.MAX_SAFE_INTEGER - 1))
    })

    test('takes no keys, values and lifetimes that another one would not take', async (t) => {
      const store = await open(t)
      await assert.rejects(store.get(''), TypeError)
      await assert.rejects(store.get('k'.repeat(1025)), RangeError)
      await assert.rejects(store.set('a', 'v'.repeat(1024 * 1024 + 1)), RangeError)
      await assert.rejects(store.set('a', 1 as never), TypeError)
      await assert.rejects(store.set('a', '', { ttlMs: 0 }), RangeError)
      await assert.rejects(store.set('a', '', { ttlMs: NaN }), RangeError)
      await assert.rejects(store.increment('a', { by: 0.5 }), RangeError)
      await assert.rejects(store.delete(undefined as never), TypeError)
    })
  })
}

test('what was not used for the longest time goes first when the memory is full', async () => {
  const store = memoryStore({ maxEntries: 3, maxBytes: 100_000 })
  for (const key of ['a', 'b', 'c']) await store.set(key, key)
  await store.get('a')
  await store.set('d', 'd')
  assert.deepEqual(await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.get(key))), ['a', undefined, 'c', 'd'])
  const small = memoryStore({ maxEntries: 1000, maxBytes: 1000 })
  for (let i = 0; i < 100; i++) await small.set(`k${i}`, 'v'.repeat(100))
  const kept = (await Promise.all(Array.from({ length: 100 }, (_, i) => small.get(`k${i}`)))).filter((value) => value !== undefined)
  assert.equal(kept.length, 2)
})

test('a store that cannot be reached fails at once, says so once, and is used again when it is back', { skip: missing('redis-server') ?? false }, async (t) => {
  const lines: string[] = []
  const line = (fields: unknown, message?: string): void => { lines.push(message ?? String(fields)) }
  const redis = await startRedis(t)
  const store = await openStore(`redis://127.0.0.1:${redis.port}/3`, 'waf', { ...silent, info: line, warn: line })
  t.after(() => store.close())
  await store.set('a', '1')
  assert.equal(redisCli(redis.port, '-n', '3', 'get', 'sentinel:agent:waf:a'), '1')
  await redis.kill()
  const failure = (): Promise<unknown> => store.get('a').then(() => undefined, (error: unknown) => error)
  await eventually('the store is down', async () => {
    const error = await failure()
    return error instanceof AgentFailure && error.code === 'store_down' && error.retryable
  })
  await redis.start()
  await eventually('the store is back', async () => await failure() === undefined)
  assert.deepEqual(lines, ['the store cannot be reached', 'the store is back'])
})

test('a store that is closed is not called lost', { skip: missing('redis-server') ?? false }, async (t) => {
  const lines: string[] = []
  const redis = await startRedis(t)
  const url = `redis://127.0.0.1:${redis.port}/0`
  const store = await openStore(url, 'waf', { ...silent, warn: (_fields: unknown, message?: string) => { lines.push(String(message)) } })
  await store.set('a', '1')
  await store.close()
  await eventually('its connection is gone', () => !redisCli(redis.port, 'client', 'list').includes('name=sentinel-agent'))
  const other = await openStore(url, 'waf', silent)
  t.after(() => other.close())
  assert.equal(await other.get('a'), '1')
  assert.deepEqual(lines, [])
})

test('a URL of a store is a host with what Redis knows, and nothing else', () => {
  for (const url of ['redis://h', 'redis://h/', 'redis://u:p@h:1/3', 'rediss://[::1]:6379']) assert.equal(isRedisUrl(url), true, url)
  for (const url of ['h', 'redis:', 'redis:///1', 'http://h', 'redis://h/x', 'redis://h/1?db=2', 'memory']) assert.equal(isRedisUrl(url), false, url)
})
