import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '../../../proxy/pipeline/faults.ts'
import type { Grant } from '../../../proxy/pipeline/rates.ts'
import { LocalRates, StoredRates, WatchedStore, type RateStore } from '../../../proxy/state/index.ts'

interface Asked {
  readonly key: string
  readonly count: number
  readonly answer: (grant: Grant) => void
  readonly fail: (error: Error) => void
}

/** A store whose answers the test gives. */
function askedStore (): RateStore & { readonly asked: Asked[] } {
  const asked: Asked[] = []
  return {
    asked,
    take: (key, _spacing, count) => new Promise((answer, fail) => asked.push({ key, count, answer, fail })),
    close: () => Promise.resolve(),
  }
}

const settings = { perSecond: 10, burst: 9, maxKeys: 3, prefix: 'p:', otherwise: 'closed' } as const
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('all that ask for a key while it is asked for are one question, and each gets a verdict of its own', async () => {
  const store = askedStore()
  const rates = new StoredRates(store, settings)
  const verdicts = Array.from({ length: 5 }, () => rates.take('a', performance.now(), 0))
  assert.deepEqual(store.asked.map(({ count }) => count), [1])
  store.asked[0]!.answer({ granted: 1, firstWaitMs: -900, resetMs: 100 })
  await turn()
  assert.deepEqual(store.asked.map(({ count }) => count), [1, 4])
  store.asked[1]!.answer({ granted: 2, firstWaitMs: -100, resetMs: 1000 })
  const all = await Promise.all(verdicts.map((verdict) => Promise.resolve(verdict)))
  assert.deepEqual(all.map((verdict) => [verdict?.allowed, verdict?.remaining]), [[true, 9], [true, 1], [true, 0], [false, 0], [false, 0]])
  assert.match(store.asked[0]!.key, /^p:[\w-]{22}$/, 'what clients send does not go into the store')
})

test('after a refusal nobody asks before another one could be granted, and keys are bounded', async () => {
  const store = askedStore()
  const rates = new StoredRates(store, settings)
  for (const key of ['a', 'b', 'c', 'd']) {
    const verdict = rates.take(key, performance.now(), 0)
    store.asked.at(-1)!.answer({ granted: 0, firstWaitMs: 60_000, resetMs: 61_000 })
    assert.equal((await verdict)?.allowed, false)
    await turn()
  }
  const again = rates.take('d', performance.now(), 0)
  assert.ok(!(again instanceof Promise) && again?.allowed === false && again.waitMs > 50_000)
  assert.ok(rates.take('a', performance.now(), 0) instanceof Promise, 'the oldest of four was forgotten')
  assert.ok(rates.take('d', performance.now(), 120_000) instanceof Promise, 'who may wait asks')
})

test('what the store does not say, the process counts, lets through or refuses', async () => {
  const verdictOf = async (otherwise: 'open' | 'closed' | LocalRates) => {
    const store = askedStore()
    const verdict = new StoredRates(store, { ...settings, otherwise }).take('a', performance.now(), 0)
    store.asked[0]!.fail(new Error('gone'))
    return verdict
  }
  assert.equal(await verdictOf('open'), undefined)
  assert.equal((await verdictOf(new LocalRates({ perSecond: 1, burst: 4, maxKeys: 1 })))?.remaining, 4)
  await assert.rejects(verdictOf('closed'), (error) => error instanceof Fault && error.code === 'LIMIT_UNKNOWN')
})

test('a store that fails three times is left alone but for a question now and then; nothing secret is said of it', async () => {
  let asked = 0
  let works = false
  const said: Array<readonly [boolean, string]> = []
  const store: RateStore = {
    take: () => {
      asked++
      return works ? Promise.resolve({ granted: 1, firstWaitMs: 0, resetMs: 0 }) : Promise.reject(Object.assign(new Error('refused'), { command: { args: ['hunter2'] } }))
    },
    close: () => Promise.resolve(),
  }
  const watched = new WatchedStore(store, { timeoutMs: 1000, changed: (well, message) => said.push([well, message]) })
  const take = () => watched.take('a', { intervalMs: 1, toleranceMs: 1 }, 1, 0)
  for (let i = 0; i < 10; i++) await assert.rejects(take(), (error) => error instanceof Error && !JSON.stringify(error).includes('hunter2') && !('command' in error))
  assert.ok(asked < 6, `asked ${asked} times`)
  works = true
  while (said.length < 2) await take().catch(() => new Promise((resolve) => setTimeout(resolve, 20)))
  assert.deepEqual(said.map(([well]) => well), [false, true])
})

test('an answer that does not come is waited for no longer than the time-out', async () => {
  const watched = new WatchedStore(askedStore(), { timeoutMs: 20, changed: () => {} })
  await assert.rejects(watched.take('a', { intervalMs: 1, toleranceMs: 1 }, 1, 0), /no answer within 20 ms/)
})
