import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { balancers, type BalancerName } from '../../../proxy/upstreams/index.ts'
import { balanced, server, servers, type Server } from '../../support/balanced.ts'

interface Load {
  /** Exchanges at a time. */
  readonly open?: number
  readonly turns?: number
  readonly fails?: (one: Server) => boolean
  /** From this turn on it is counted. */
  readonly from?: number
  /** Those that have answered in 30 turns before. */
  readonly known?: readonly Server[]
}

/** Keeps so many exchanges open all the time, each for as many turns as its target takes; how many each target was given. */
function underLoad (word: BalancerName, list: readonly Server[], turnsOf: (one: Server, turn: number) => number, load: Load = {}): number[] {
  const { open = 40, turns = 20_000, fails, from: counted = 0, known = [] } = load
  const { balancer, clock } = balanced(word, list)
  for (let i = 0; i < 200; i++) for (const one of known) balancer.learn?.(one, 30, false)
  const given = list.map(() => 0)
  const ends: Array<{ readonly at: number, readonly one: Server, readonly from: number }> = []
  for (let turn = 0; turn < turns; turn++) {
    clock.nowMs = turn
    for (let i = ends.length - 1; i >= 0; i--) {
      const { at, one, from } = ends[i]!
      if (at > turn) continue
      ends.splice(i, 1)
      one.inFlight--
      balancer.learn?.(one, turn - from, fails?.(one) ?? false)
    }
    if (ends.length >= open) continue
    const one = balancer.next({ key: undefined, skip: undefined, wanted: undefined })!
    if (turn >= counted) given[list.indexOf(one)]!++
    one.inFlight++
    ends.push({ at: turn + turnsOf(one, turn), one, from: turn })
  }
  return given
}

describe('balancers that look at what targets have', () => {
  test('least connections: whoever has the fewest, and those that have as few in turn', () => {
    const list = servers(1, 1, 1)
    const { next } = balanced('least-connections', list)
    list[0]!.inFlight = 2
    list[1]!.inFlight = 1
    assert.deepEqual([next(), next()], [2, 2])
    list[2]!.inFlight = 1
    assert.equal(new Set([next(), next()]).size, 2)
    assert.equal(next(undefined, 1, 2), 0)
  })

  test('weighted least connections: the fewest for its weight', () => {
    const list = servers(1, 4)
    const { next } = balanced('weighted-least-connections', list)
    list[0]!.inFlight = 1
    list[1]!.inFlight = 3
    assert.equal(next(), 1)
    list[1]!.inFlight = 5
    assert.equal(next(), 0)
  })

  for (const word of ['least-connections', 'weighted-least-connections', 'power-of-two-choices', 'peak-ewma', 'adaptive'] as const) {
    test(`${word}: a target that is ten times slower gets far less, and still something`, () => {
      const list = servers(1, 1, 1, 1)
      const [slow, ...others] = underLoad(word, list, (one) => one === list[0] ? 200 : 20) as [number, number, number, number]
      const fair = (slow + others[0] + others[1] + others[2]) / 4
      assert.ok(slow < fair / 3, `${slow} of ${fair}`)
      assert.ok(slow > 0)
      for (const other of others) assert.ok(Math.abs(other / others[0] - 1) < 0.25, String(others))
    })
  }

  test('round robin does not look, and gives a slow target as much as the others', () => {
    const list = servers(1, 1)
    const [slow, fast] = underLoad('round-robin', list, (one) => one === list[0] ? 200 : 20)
    assert.equal(slow, fast)
  })

  test('least tokens queued: the smallest queue for its weight, and exchanges where nobody counts tokens', () => {
    const list = servers(1, 1, 2)
    const { next } = balanced('least-tokens-queued', list)
    Object.assign(list[0]!, { queuedTokens: 500, inFlight: 1 })
    Object.assign(list[1]!, { queuedTokens: 300, inFlight: 9 })
    Object.assign(list[2]!, { queuedTokens: 700, inFlight: 1 })
    assert.equal(next(), 1)
    list[2]!.queuedTokens = 590
    assert.equal(next(), 2)
    for (const one of list) one.queuedTokens = 0
    assert.equal(next(undefined, 2), 0)
  })
})

describe('balancers that learn', () => {
  for (const word of ['peak-ewma', 'adaptive'] as const) {
    test(`${word}: who fails fast does not look fast`, () => {
      const list = servers(1, 1, 1)
      const [failing, ...others] = underLoad(word, list, (one) => one === list[0] ? 1 : 30, { open: 6, fails: (one) => one === list[0] }) as [number, number, number]
      assert.ok(failing < others[0] / 2, `${failing} of ${String(others)}`)
    })

    test(`${word}: a target that recovered gets its share back`, () => {
      const list = servers(1, 1)
      const [recovered, other] = underLoad(word, list, (one, turn) => one === list[0] && turn < 20_000 ? 400 : 20, { open: 8, turns: 90_000, from: 80_000 }) as [number, number]
      assert.ok(recovered > other * 0.8, `${recovered} and ${other}`)
    })

    test(`${word}: who has not answered yet is neither flooded nor left alone`, () => {
      const list = servers(1, 1, 1)
      const [fresh, ...others] = underLoad(word, list, () => 30, { open: 12, turns: 300, known: list.slice(1) }) as [number, number, number]
      assert.ok(fresh > others[0] * 0.5 && fresh < others[0] * 2, `${fresh} and ${String(others)}`)
    })
  }

  test('a session’s first target is picked by a balancer that learns, when the operator says so', () => {
    const list = servers(1, 1)
    const { balancer, counts } = balanced('sticky', list, { fallback: balancers['peak-ewma'] })
    for (let i = 0; i < 100; i++) list.forEach((one, at) => balancer.learn!(one, [500, 10][at]!, false))
    assert.ok(counts(100)[0]! < 10)
  })
})

test('sticky: whoever has the session gets it, as long as it may be picked', () => {
  const list = servers(1, 1, 1)
  const { balancer } = balanced('sticky', list)
  const ask = (skip?: Server): Server | undefined => balancer.next({ key: undefined, wanted: list[2], skip: skip === undefined ? undefined : new Set([skip]) })
  for (let i = 0; i < 20; i++) assert.equal(ask(), list[2])
  assert.notEqual(ask(list[2]), list[2])
  balancer.use(list.slice(0, 2), list)
  assert.notEqual(ask(), list[2])
})

describe('locality-aware', () => {
  const zones = (...names: readonly string[]): Server[] => names.map((zone, i) => server(`10.0.0.${i}:80`, 1, { zone }))

  test('targets of the proxy’s own zone get everything', () => {
    const { counts } = balanced('locality-aware', zones('here', 'there', 'here', ''))
    assert.deepEqual(counts(100), [50, 0, 50, 0])
  })

  test('others are asked where there is no such zone, or nobody said where the proxy is', () => {
    assert.deepEqual(balanced('locality-aware', zones('there', 'elsewhere')).counts(100), [50, 50])
    assert.deepEqual(balanced('locality-aware', zones('', ''), { zone: '' }).counts(100), [50, 50])
  })

  test('others are asked for an exchange that the zone has failed', () => {
    assert.equal(balanced('locality-aware', zones('here', 'there')).next(undefined, 0), 1)
  })

  test('spills over as the zone gets worse: with 7 of 10 well nothing, with half of that half', () => {
    const list = [...zones(...Array.from({ length: 10 }, () => 'here')), server('10.1.0.1:80', 1, { zone: 'there' })]
    const { balancer, counts } = balanced('locality-aware', list)
    const away = (well: number): number => {
      balancer.use(list.slice(10 - well), list)
      return counts(1_000)[10]! / 1_000
    }
    assert.deepEqual([10, 7].map(away), [0, 0])
    assert.ok(Math.abs(away(5) - (1 - 0.5 / 0.7)) < 0.01)
    assert.ok(Math.abs(away(1) - (1 - 0.1 / 0.7)) < 0.01)
    assert.equal(away(0), 1)
  })
})

describe('deterministic-subset', () => {
  const list = servers(...Array.from({ length: 20 }, () => 1))
  const subsetOf = (instance: string, of = list): Set<string> => {
    const { balancer } = balanced('deterministic-subset', of, { instance, subsetSize: 5 })
    return new Set(Array.from({ length: 100 }, () => balancer.next({ key: undefined, skip: undefined, wanted: undefined })!.name))
  }

  test('a proxy keeps to as many as it was told, the same ones after a restart, and others than its neighbour', () => {
    assert.equal(subsetOf('proxy-1').size, 5)
    assert.deepEqual(subsetOf('proxy-1'), subsetOf('proxy-1', list.toReversed()))
    assert.notDeepEqual(subsetOf('proxy-1'), subsetOf('proxy-2'))
  })

  test('when a target leaves, one of the subset changes at the most', () => {
    const before = subsetOf('proxy-1')
    for (const gone of list) {
      const after = subsetOf('proxy-1', list.filter((one) => one !== gone))
      const stayed = [...before].filter((name) => after.has(name)).length
      assert.equal(stayed, before.has(gone.name) ? 4 : 5)
    }
  })

  test('two hundred proxies spread over all targets', () => {
    const proxies = new Map(list.map(({ name }) => [name, 0]))
    for (let i = 0; i < 200; i++) for (const name of subsetOf(`host-${i}.test`)) proxies.set(name, proxies.get(name)! + 1)
    for (const [name, count] of proxies) assert.ok(count > 25 && count < 80, `${name}: ${count} of 50`)
  })

  test('the others are asked when nobody of the subset is left', () => {
    const { balancer } = balanced('deterministic-subset', list, { subsetSize: 2 })
    const asked = new Set<Server>()
    for (let i = 0; i < 20; i++) asked.add(balancer.next({ key: undefined, wanted: undefined, skip: new Set(asked) })!)
    assert.equal(asked.size, 20)
  })
})
