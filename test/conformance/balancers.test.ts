import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { balancers } from '../../proxy/upstreams/index.ts'

/** How often each target is chosen in `turns` turns. */
function counts (next: () => number | undefined, targets: number, turns: number): number[] {
  const chosen = Array.from({ length: targets }, () => 0)
  for (let turn = 0; turn < turns; turn++) chosen[next()!]!++
  return chosen
}

for (const [word, make] of Object.entries(balancers)) {
  describe(`balancer ${word}`, () => {
    test('gives every target its share, exactly, over one round', () => {
      for (const weights of [[1], [1, 1, 1], [5, 1, 1], [3, 7], [2, 0, 4], [100, 1]]) {
        const balancer = make(weights)
        const round = weights.reduce((sum, weight) => sum + weight, 0)
        for (let i = 0; i < 3; i++) assert.deepEqual(counts(() => balancer.next(), weights.length, round), weights)
      }
    })

    test('never chooses a target of weight 0', () => {
      const balancer = make([0, 1, 0])
      for (let i = 0; i < 10; i++) assert.equal(balancer.next(), 1)
      assert.equal(make([0, 0]).next(), undefined)
      assert.equal(make([]).next(), undefined)
    })

    test('passes over targets that were tried, and gives undefined when none is left', () => {
      const balancer = make([1, 1, 1])
      const first = balancer.next()!
      const second = balancer.next(new Set([first]))!
      assert.notEqual(first, second)
      const third = balancer.next(new Set([first, second]))!
      assert.equal(new Set([first, second, third]).size, 3)
      assert.equal(balancer.next(new Set([0, 1, 2])), undefined)
    })

    test('a target that was passed over gets no burst afterwards', () => {
      const balancer = make([1, 1])
      for (let i = 0; i < 1_000; i++) balancer.next(new Set([0]))
      const after = Array.from({ length: 10 }, () => balancer.next()!)
      assert.deepEqual([...after].sort(), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    })

    test('two balancers of the same weights do not share state', () => {
      const a = make([1, 1])
      const b = make([1, 1])
      assert.equal(a.next(), b.next())
    })
  })
}

test('weights are spread, not served in bursts', () => {
  const balancer = balancers.weighted([5, 1, 1])
  assert.deepEqual(Array.from({ length: 7 }, () => balancer.next()), [0, 0, 1, 0, 2, 0, 0])
})
