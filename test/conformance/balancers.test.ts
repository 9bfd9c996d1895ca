import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { balancers, type Balancer, type BalancerName } from '../../proxy/upstreams/index.ts'

interface Server {
  readonly name: string
  readonly weight: number
  readonly inFlight: number
}

function balancerOf (word: BalancerName, weights: readonly number[]): { readonly servers: readonly Server[], readonly next: (...skip: number[]) => number | undefined, readonly balancer: Balancer<Server> } {
  const servers = weights.map((weight, i): Server => ({ name: `10.0.0.${i}:80`, weight, inFlight: 0 }))
  const balancer = balancers[word]<Server>({ random: Math.random, nowMs: () => 0 })
  balancer.use(servers)
  const next = (...skip: number[]): number | undefined => {
    const found = balancer.next({ skip: skip.length === 0 ? undefined : new Set(skip.map((i) => servers[i]!)) })
    return found === undefined ? undefined : servers.indexOf(found)
  }
  return { servers, next, balancer }
}

/** How often each target is chosen in `turns` turns. */
function counts (next: () => number | undefined, targets: number, turns: number): number[] {
  const chosen = Array.from({ length: targets }, () => 0)
  for (let turn = 0; turn < turns; turn++) chosen[next()!]!++
  return chosen
}

for (const word of ['round-robin', 'weighted'] as const) {
  describe(`balancer ${word}`, () => {
    test('gives every target its share, exactly, over one round', () => {
      for (const weights of [[1], [1, 1, 1], [5, 1, 1], [3, 7], [2, 0, 4], [100, 1]]) {
        const { next } = balancerOf(word, weights)
        const round = weights.reduce((sum, weight) => sum + weight, 0)
        for (let i = 0; i < 3; i++) assert.deepEqual(counts(() => next(), weights.length, round), weights)
      }
    })

    test('never chooses a target of weight 0', () => {
      const { next } = balancerOf(word, [0, 1, 0])
      for (let i = 0; i < 10; i++) assert.equal(next(), 1)
      assert.equal(balancerOf(word, [0, 0]).next(), undefined)
      assert.equal(balancerOf(word, []).next(), undefined)
    })

    test('passes over targets that were tried, and gives undefined when none is left', () => {
      const { next } = balancerOf(word, [1, 1, 1])
      const first = next()!
      const second = next(first)!
      assert.notEqual(first, second)
      const third = next(first, second)!
      assert.equal(new Set([first, second, third]).size, 3)
      assert.equal(next(0, 1, 2), undefined)
    })

    test('a target that was passed over gets no burst afterwards', () => {
      const { next } = balancerOf(word, [1, 1])
      for (let i = 0; i < 1_000; i++) next(0)
      const after = Array.from({ length: 10 }, () => next()!)
      assert.deepEqual(after.sort(), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    })

    test('two balancers of the same weights do not share state', () => {
      assert.equal(balancerOf(word, [1, 1]).next(), balancerOf(word, [1, 1]).next())
    })

    test('who stays keeps its turn when the list changes', () => {
      const { servers, next, balancer } = balancerOf(word, [1, 1, 1])
      assert.equal(next(), 0)
      balancer.use(servers.slice(0, 2))
      assert.equal(next(), 1)
    })
  })
}

test('weights are spread, not served in bursts', () => {
  const { next } = balancerOf('weighted', [5, 1, 1])
  assert.deepEqual(Array.from({ length: 7 }, () => next()), [0, 0, 1, 0, 2, 0, 0])
})
