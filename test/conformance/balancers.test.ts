import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { balancers, type BalancerName } from '../../proxy/upstreams/index.ts'
import { balanced, keyOf, server, servers, type Server } from '../support/balanced.ts'
import { randomFrom } from '../support/chance.ts'

const words = Object.keys(balancers) as BalancerName[]
const hashing: readonly BalancerName[] = ['ip-hash', 'consistent-hash', 'maglev']

/** How far from its share one may be, as a part of the share, in 20 000 picks. Nothing is busy and nobody has answered. */
const tolerance: Readonly<Record<BalancerName, number>> = {
  'round-robin': 0.001, weighted: 0.001, 'least-connections': 0.001, 'weighted-least-connections': 0.001, 'least-tokens-queued': 0.001, 'locality-aware': 0.001, 'deterministic-subset': 0.001, sticky: 0.001,
  random: 0.08, 'power-of-two-choices': 0.08, 'peak-ewma': 0.08, adaptive: 0.08,
  'ip-hash': 0.08, maglev: 0.08, 'consistent-hash': 0.3,
}

function farthest (counts: readonly number[], weights: readonly number[]): number {
  const turns = counts.reduce((sum, count) => sum + count, 0)
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return Math.max(...weights.map((weight, i) => weight === 0 ? counts[i]! : Math.abs(counts[i]! / (turns * weight / total) - 1)))
}

for (const word of words) {
  describe(`balancer ${word}`, () => {
    test('gives equal targets equal shares', () => {
      for (const count of [1, 2, 3, 10]) {
        const weights = Array.from({ length: count }, () => 1)
        const far = farthest(balanced(word, servers(...weights)).counts(20_000), weights)
        assert.ok(far <= tolerance[word], `${count} targets: ${far}`)
      }
    })

    // Least connections counts none: whoever wants that writes weighted-least-connections.
    if (word !== 'least-connections') test('gives every target the share of its weight', () => {
      for (const weights of [[5, 1, 1], [3, 7], [2, 0, 4], [100, 50, 10], [0.5, 1]]) {
        const far = farthest(balanced(word, servers(...weights)).counts(20_000), weights)
        assert.ok(far <= tolerance[word] * 1.5, `${String(weights)}: ${far}`)
      }
    })

    test('never picks a target of weight 0, and picks nobody where there is nobody else', () => {
      const { next } = balanced(word, servers(0, 1, 0))
      for (let i = 0; i < 100; i++) assert.equal(next(keyOf(i)), 1)
      assert.equal(next('a', 1), undefined)
      assert.equal(balanced(word, servers(0, 0)).next('a'), undefined)
      assert.equal(balanced(word, []).next('a'), undefined)
    })

    test('passes over targets that were asked, as long as one is left', () => {
      for (let turn = 0; turn < 50; turn++) {
        const { next } = balanced(word, servers(1, 3, 1, 2), {}, turn + 1)
        const asked: number[] = []
        for (let i = 0; i < 4; i++) {
          const found = next(keyOf(turn), ...asked)
          assert.ok(found !== undefined && !asked.includes(found))
          asked.push(found)
        }
        assert.equal(next(keyOf(turn), ...asked), undefined)
      }
    })

    test('a target that was passed over for long gets no burst afterwards', () => {
      const { next } = balanced(word, servers(1, 1, 1))
      for (let i = 0; i < 1_000; i++) next(keyOf(i), 0)
      const first = Array.from({ length: 300 }, (_, i) => next(keyOf(i))).filter((one) => one === 0).length
      assert.ok(first > 60 && first < 140, `${first} of 300`)
    })

    test('does as it is told about who may be picked, at once', () => {
      const list = servers(1, 1, 1)
      const { balancer, next } = balanced(word, list)
      balancer.use(list.slice(1), list)
      for (let i = 0; i < 100; i++) assert.notEqual(next(keyOf(i)), 0)
      balancer.use([], list)
      assert.equal(next('a'), undefined)
      const more = [...list, server('10.0.0.9:80')]
      balancer.use(more, more)
      const seen = new Set(Array.from({ length: 300 }, (_, i) => balancer.next({ key: keyOf(i), skip: undefined, wanted: undefined })))
      assert.deepEqual(seen, new Set(more))
    })

    if (word !== 'least-connections') test('shares follow a weight that is changed', () => {
      const list = servers(1, 1)
      const { balancer, counts } = balanced(word, list)
      counts(101)
      list[0]!.weight = 4
      balancer.use(list, list)
      assert.ok(farthest(counts(20_000), [4, 1]) <= tolerance[word] * 1.5 + 0.01)
    })

    test('a target that starts slowly gets a part of its share', () => {
      const list = [server('10.0.0.1:80'), server('10.0.0.2:80', 0.25, { warmth: 0.25 })]
      assert.ok(farthest(balanced(word, list).counts(20_000), [1, 0.25]) <= Math.max(0.01, tolerance[word] * 2))
    })

    test('two of the same kind share nothing', () => {
      const list = servers(1, 1)
      const one = balanced(word, list)
      const other = balanced(word, list)
      for (let i = 0; i < 10; i++) assert.equal(one.next(keyOf(i)), other.next(keyOf(i)))
    })

    test('whatever the list, the weights, the load and the answers are: somebody who may be picked is picked, if there is one', () => {
      const chance = randomFrom(42)
      for (let round = 0; round < 30; round++) {
        const all = Array.from({ length: chance(12) }, (_, i) => server(`t${i}.test:${chance(9)}`, [0, 0.1, 1, 3, 1_000_000][chance(5)], { zone: ['here', 'there', ''][chance(3)]! }))
        const { balancer, clock } = balanced(word, all, { subsetSize: 1 + chance(4) }, round + 1)
        for (let turn = 0; turn < 20; turn++) {
          clock.nowMs += chance(5_000)
          const may = chance(2) === 0 ? all.filter(() => chance(3) > 0) : all
          balancer.use(may, all)
          const skip = new Set(all.filter(() => chance(2) === 0))
          const found = balancer.next({ key: keyOf(chance(1_000)), skip: chance(2) === 0 ? undefined : skip, wanted: all[chance(all.length + 1)] })
          const left = may.filter(({ weight }) => weight > 0)
          if (found === undefined) assert.ok(left.every((one) => skip.has(one)))
          else assert.ok(left.includes(found))
          for (const one of all) {
            one.inFlight = chance(4)
            one.queuedTokens = chance(1_000)
            if (chance(3) === 0) balancer.learn?.(one, chance(3_000), chance(4) === 0)
          }
        }
      }
    })

    test('costs no memory that stays', () => {
      const list = servers(...Array.from({ length: 20 }, () => 1))
      const { balancer } = balanced(word, list)
      const ask = { key: 'tenant-7', skip: undefined, wanted: undefined }
      const turn = (): void => {
        for (let i = 0; i < 20_000; i++) balancer.learn?.(balancer.next(ask)!, 5, false)
      }
      for (let i = 0; i < 3; i++) turn()
      const before = process.memoryUsage().heapUsed
      for (let i = 0; i < 5; i++) turn()
      const grown = process.memoryUsage().heapUsed - before
      // What is thrown away at once is of the young generation, which is 16 MB at the most.
      assert.ok(grown < 24 * 1024 * 1024, `${grown} bytes`)
    })
  })
}

describe('a balancer that hashes', () => {
  for (const word of hashing) {
    const pickAll = (list: readonly Server[], keys: number): string[] => {
      const { balancer } = balanced(word, list)
      return Array.from({ length: keys }, (_, i) => balancer.next({ key: `key ${i}`, skip: undefined, wanted: undefined })!.name)
    }

    test(`${word}: the same key, the same target, in every process and for every order of the list`, () => {
      const list = servers(1, 2, 1, 1, 3)
      assert.deepEqual(pickAll(list, 500), pickAll(list.toReversed(), 500))
      // What another process said.
      assert.deepEqual(pickAll(list, 8).map((name) => name.slice(7, 8)).join(''), fixed[word])
    })

    test(`${word}: when a target leaves or comes, hardly any key moves that does not have to`, () => {
      const [mostLeaving, mostComing] = disruption[word]!
      for (const count of [3, 10, 40]) {
        const list = servers(...Array.from({ length: count }, () => 1))
        const before = pickAll(list, 20_000)
        const gone = list[1]!
        const without = pickAll(list.filter((one) => one !== gone), 20_000)
        const moved = before.filter((name, i) => name !== gone.name && name !== without[i]).length / 20_000
        assert.ok(moved <= mostLeaving, `${count} targets: ${moved} moved though their target stayed`)
        const more = pickAll([...list, server('10.0.1.1:80')], 20_000)
        const changed = before.filter((name, i) => name !== more[i]).length / 20_000
        assert.ok(changed <= mostComing * 1.3 / (count + 1) + 0.005, `${count} targets: ${changed} changed, ${1 / (count + 1)} had to`)
      }
    })

    test(`${word}: a target that is passed over leaves its keys to all others, not to one`, () => {
      const list = servers(1, 1, 1, 1, 1)
      const { next } = balanced(word, list)
      const heirs = [0, 0, 0, 0, 0]
      for (let i = 0; i < 20_000; i++) if (next(`key ${i}`) === 2) heirs[next(`key ${i}`, 2)!]!++
      const total = heirs.reduce((sum, count) => sum + count, 0)
      for (const i of [0, 1, 3, 4]) assert.ok(heirs[i]! > total * 0.1, String(heirs))
    })

    test(`${word}: thousands of targets are reckoned in an instant, and their shares are still about even`, () => {
      const list = Array.from({ length: 2_000 }, (_, i) => server(`10.${i >> 8}.0.${i & 255}:80`))
      const { counts } = balanced(word, list)
      const chosen = counts(40_000)
      assert.ok(chosen.filter((count) => count > 0).length > 1_900)
      assert.ok(Math.max(...chosen) < 20 * 4.5)
    })
  }
})

/** Keys that move without need when a target leaves, as a part of all; and those that change when one comes, as a multiple of those that have to. */
const disruption: Readonly<Partial<Record<BalancerName, readonly [number, number]>>> = { 'ip-hash': [0, 1], 'consistent-hash': [0, 1.2], maglev: [0.01, 1.2] }

const fixed: Readonly<Partial<Record<BalancerName, string>>> = { 'ip-hash': '22552355', 'consistent-hash': '45555323', maglev: '25555455' }

test('smooth weighted round robin spreads weights, and serves no bursts', () => {
  const { next } = balanced('weighted', servers(5, 1, 1))
  assert.deepEqual(Array.from({ length: 7 }, () => next()), [0, 0, 1, 0, 2, 0, 0])
})

test('round robin: who stays keeps its turn when the list changes', () => {
  const list = servers(1, 1, 1)
  const { balancer, next } = balanced('round-robin', list)
  assert.equal(next(), 0)
  balancer.use(list.slice(0, 2), list)
  assert.equal(next(), 1)
})
