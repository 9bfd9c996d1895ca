import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LocalRates } from '../../../proxy/state/index.ts'

const rates = (perSecond: number, burst: number, maxKeys = 1000): LocalRates => new LocalRates({ perSecond, burst, maxKeys })

test('a burst may come at once, then as many as the rate allows', () => {
  const counts = rates(10, 4)
  const taken = (nowMs: number): boolean => counts.take('a', nowMs, 0).allowed
  assert.deepEqual(Array.from({ length: 7 }, () => taken(0)), [true, true, true, true, true, false, false])
  assert.equal(taken(99), false)
  assert.equal(taken(100), true)
  assert.equal(taken(100), false)
  assert.deepEqual(Array.from({ length: 6 }, () => taken(10_000)), [true, true, true, true, true, false], 'who waited long has no more than the burst')
})

test('over any time no more come than the rate and one burst, and no fewer when enough ask', () => {
  const counts = rates(50, 20)
  let passed = 0
  for (let ms = 0; ms < 10_000; ms++) for (let i = 0; i < 3; i++) if (counts.take('a', ms, 0).allowed) passed++
  assert.ok(Math.abs(passed - (50 * 10 + 20 + 1)) <= 1, String(passed))
})

test('what is left and when it is all there again is told truly', () => {
  const counts = rates(10, 2)
  assert.deepEqual(counts.take('a', 0, 0), { allowed: true, remaining: 2, waitMs: 0, resetMs: 100 })
  assert.deepEqual(counts.take('a', 0, 0), { allowed: true, remaining: 1, waitMs: 0, resetMs: 200 })
  assert.deepEqual(counts.take('a', 50, 0), { allowed: true, remaining: 0, waitMs: 0, resetMs: 250 })
  assert.deepEqual(counts.take('a', 50, 0), { allowed: false, remaining: 0, waitMs: 50, resetMs: 250 })
})

test('who may wait gets a turn of its own, and who would wait too long is refused without one', () => {
  const counts = rates(10, 0)
  assert.deepEqual([0, 1, 2, 3].map(() => counts.take('a', 0, 250)).map(({ allowed, waitMs }) => [allowed, waitMs]), [[true, 0], [true, 100], [true, 200], [false, 300]])
  assert.equal(counts.take('a', 100, 250).waitMs, 200)
})

test('keys do not count for one another, and the one unused for longest gives way', () => {
  const counts = rates(1, 0, 3)
  for (const key of ['a', 'b', 'c']) assert.equal(counts.take(key, 0, 0).allowed, true)
  assert.equal(counts.take('a', 1, 0).allowed, false)
  counts.take('a', 1000, 0)
  assert.equal(counts.take('d', 1000, 0).allowed, true)
  assert.deepEqual([counts.keys, counts.evicted], [3, 1])
  assert.equal(counts.take('a', 1001, 0).allowed, false, 'a was used last')
  assert.equal(counts.take('b', 1001, 0).allowed, true, 'b was forgotten')
})
