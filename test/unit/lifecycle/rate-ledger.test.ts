import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RateLedger } from '../../../proxy/lifecycle/workers/rate-ledger.ts'
import { randomFrom } from '../../support/chance.ts'

test('what is asked for is granted until the limit is used up, and a part of what is left is lent for later', () => {
  const ledger = new RateLedger({ perSecond: 10, burst: 39, maxKeys: 10 }, 2)
  const a = {}
  assert.deepEqual(ledger.take(a, 'k', 4, 100, 0, 0), { granted: 4, more: 9, firstWaitMs: -3900, resetMs: 400 })
  const b = {}
  assert.deepEqual(ledger.take(b, 'k', 30, 0, 0, 0).granted, 27)
  assert.deepEqual([...ledger.holders('k')], [a])
  ledger.back(a, 'k', 6, 3, 0)
  assert.deepEqual([...ledger.holders('k')], [])
  assert.equal(ledger.take(b, 'k', 30, 0, 0, 0).granted, 3)
  assert.equal(ledger.take(b, 'k', 1, 0, 0, 0).firstWaitMs, 100)
})

test('what is lent and not used is not made up for by time', () => {
  const ledger = new RateLedger({ perSecond: 10, burst: 39, maxKeys: 10 }, 1)
  const a = {}
  assert.equal(ledger.take(a, 'k', 0, 100, 0, 0).more, 20)
  assert.equal(ledger.take({}, 'k', 100, 0, 0, 60_000).granted, 20, 'the other 20 may come in any moment')
  ledger.forget(a, 60_000)
  assert.equal(ledger.take({}, 'k', 100, 0, 0, 60_000).granted, 0)
  assert.equal(ledger.take({}, 'k', 100, 0, 0, 64_000).granted, 40)
})

test('however workers ask, keep and give back: in no time more is used than the rate and one burst', () => {
  const numbers = randomFrom(7)
  const random = (): number => numbers(1_000_000) / 1_000_000
  for (let round = 0; round < 200; round++) {
    const [perSecond, burst] = [1 + Math.floor(random() * 500), Math.floor(random() * 200)]
    const ledger = new RateLedger({ perSecond, burst, maxKeys: 10 }, 3)
    const workers = [0, 1, 2].map(() => ({ spare: 0, used: 0 }))
    const uses: number[] = []
    let nowMs = 0
    for (let step = 0; step < 400; step++) {
      nowMs += random() < 0.7 ? 0 : random() * 100
      const worker = workers[Math.floor(random() * 3)]!
      const what = random()
      if (what < 0.5) {
        const count = Math.floor(random() * 4)
        if (worker.used > 0) ledger.back(worker, 'k', worker.used, 0, nowMs)
        worker.used = 0
        const { granted, more } = ledger.take(worker, 'k', count, Math.floor(random() * 40), 0, nowMs)
        worker.spare += more
        for (let i = 0; i < granted; i++) uses.push(nowMs)
      } else if (what < 0.9) {
        if (worker.spare === 0) continue
        worker.spare--
        worker.used++
        uses.push(nowMs)
      } else {
        ledger.back(worker, 'k', worker.used, worker.spare, nowMs)
        worker.spare = worker.used = 0
      }
    }
    for (let from = 0; from < uses.length; from += 7) {
      for (let to = from; to < uses.length; to += 5) {
        const most = burst + 1 + perSecond * (uses[to]! - uses[from]!) / 1000
        assert.ok(to - from + 1 <= most + 1e-3, `${to - from + 1} in ${uses[to]! - uses[from]!} ms, ${most} may`)
      }
    }
  }
})

test('keys are bounded: the one unused for longest gives way', () => {
  const ledger = new RateLedger({ perSecond: 1, burst: 0, maxKeys: 2 }, 2)
  for (const key of ['a', 'b', 'a', 'c']) ledger.take({}, key, 1, 0, 0, 0)
  assert.deepEqual([ledger.keys, ledger.evicted], [2, 1])
  assert.deepEqual(['a', 'b'].map((key) => ledger.take({}, key, 1, 0, 0, 1).granted), [0, 1])
})
