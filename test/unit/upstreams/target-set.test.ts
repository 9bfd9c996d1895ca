import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createTargetStore, createUpstream, standingBits, type TargetSettings, type Upstream, type UpstreamSettings } from '../../../proxy/upstreams/index.ts'
import { randomFrom } from '../../support/chance.ts'

const connecting = { id: 'app', connectTimeoutMs: 1_000, readTimeoutMs: 1_000, writeTimeoutMs: 1_000, poolMaxConnections: 10, poolIdleMs: 1_000 }
const to = (name: string, more: Partial<TargetSettings> = {}): TargetSettings => ({ host: name, port: 80, weight: 1, ...more })

function upstreamOf (targets: readonly TargetSettings[], more: Partial<UpstreamSettings> = {}, store = createTargetStore(connecting)): Upstream {
  return createUpstream({ ...connecting, balance: 'round-robin', targets, ...more }, store)
}

const nobody = { skip: undefined, key: undefined, wanted: undefined }

/** Hosts in the order they are picked. */
function picks ({ set }: Upstream, count: number): string {
  return Array.from({ length: count }, () => set.pick(nobody)?.settings.host ?? '-').join('')
}

describe('the targets of an upstream', () => {
  test('are picked as long as nothing speaks against them', () => {
    const upstream = upstreamOf([to('a'), to('b'), to('c')])
    assert.equal(picks(upstream, 6), 'abcabc')
    assert.equal(upstream.set.mark('b:80', 'down', true), true)
    assert.equal(upstream.set.mark('b:80', 'ejected', true), true)
    assert.equal(upstream.set.mark('x:80', 'down', true), false)
    assert.ok(!picks(upstream, 6).includes('b'))
    upstream.set.mark('b:80', 'down', false)
    assert.ok(!picks(upstream, 6).includes('b'))
    upstream.set.mark('b:80', 'ejected', false)
    assert.ok(picks(upstream, 3).includes('b'))
  })

  test('tell of a change of their standing, once', () => {
    const { set } = upstreamOf([to('a'), to('b')])
    const heard: string[] = []
    set.onStanding((target, before) => heard.push(`${target.name} ${before} ${target.standing}`))
    for (const on of [true, true, false, false]) set.mark('a:80', 'drained', on)
    assert.deepEqual(heard, [`a:80 0 ${standingBits.drained}`, `a:80 ${standingBits.drained} 0`])
  })

  test('tell how tries ended, and only when somebody listens', () => {
    const { set } = upstreamOf([to('a')])
    const [a] = set.targets
    a!.answered(200, 5)
    const heard: unknown[] = []
    set.onOutcome((target, { status, ms }) => heard.push([target.name, status, ms]))
    a!.answered(503, 7)
    assert.deepEqual(heard, [['a:80', 503, 7]])
  })

  test('of one name are one, with both shares', () => {
    const upstream = upstreamOf([to('a'), to('b'), to('a', { weight: 2 })])
    assert.deepEqual(upstream.targets.map(({ name, weight }) => [name, weight]), [['a:80', 3], ['b:80', 1]])
  })

  test('are replaced while they run: who stays is the same, with its standing', () => {
    const upstream = upstreamOf([to('a'), to('b')])
    upstream.set.mark('b:80', 'down', true)
    const [, b] = upstream.set.targets
    upstream.set.replace([to('b', { weight: 3 }), to('c')])
    assert.equal(upstream.set.get('b:80'), b)
    assert.equal(b!.standing, standingBits.down)
    assert.equal(picks(upstream, 2), 'cc')
    upstream.set.mark('b:80', 'down', false)
    assert.equal([...picks(upstream, 40)].filter((host) => host === 'b').length, 30)
    upstream.set.replace([])
    assert.equal(picks(upstream, 1), '-')
  })

  test('of the first tier are picked, then those behind it, and the first again when it is well', () => {
    const upstream = upstreamOf([to('a'), to('b', { priority: 1 }), to('z', { backup: true })])
    assert.equal(picks(upstream, 3), 'aaa')
    upstream.set.mark('a:80', 'down', true)
    assert.equal(picks(upstream, 3), 'bbb')
    upstream.set.mark('b:80', 'open', true)
    assert.equal(picks(upstream, 3), 'zzz')
    upstream.set.mark('a:80', 'down', false)
    assert.equal(picks(upstream, 3), 'aaa')
  })

  test('behind the first tier are picked for an exchange that the first has failed', () => {
    const { set } = upstreamOf([to('a'), to('z', { backup: true })])
    assert.equal(set.pick({ ...nobody, skip: new Set([set.get('a:80')!]) })?.name, 'z:80')
    assert.equal(set.pick({ ...nobody, skip: new Set(set.targets) }), undefined)
  })

  test('are all picked in a panic, and it is told', () => {
    const upstream = upstreamOf([to('a'), to('b'), to('c')], { panicShare: 0.5 })
    upstream.set.mark('a:80', 'down', true)
    assert.equal(upstream.set.panic, false)
    upstream.set.mark('b:80', 'down', true)
    assert.equal(upstream.set.panic, true)
    assert.equal(new Set(picks(upstream, 3)).size, 3)
  })
})

describe('a target that is new or well again', () => {
  const shareOf = (upstream: Upstream, host: string): number => [...picks(upstream, 1_000)].filter((one) => one === host).length / 1_000

  test('starts slowly beside others, not when all are new', async () => {
    const slow = upstreamOf([to('a'), to('b')], { slowStartMs: 600_000 })
    assert.equal(shareOf(slow, 'a'), 0.5)
    slow.set.replace([to('a'), to('b'), to('c')])
    assert.ok(Math.abs(shareOf(slow, 'c') - 0.1 / 2.1) < 0.01)
    slow.set.mark('a:80', 'ejected', true)
    slow.set.mark('a:80', 'ejected', false)
    assert.ok(shareOf(slow, 'a') < 0.1)
    await slow.close(AbortSignal.abort())
    const upstream = upstreamOf([to('a'), to('b')], { slowStartMs: 1_500 })
    upstream.set.replace([to('a'), to('b'), to('c')])
    const grown: number[] = []
    while ((grown.at(-1) ?? 0) < 1) {
      grown.push(upstream.targets[2]!.weight)
      await new Promise((resolve) => { setTimeout(resolve, 40) })
    }
    assert.deepEqual(grown, grown.toSorted((a, b) => a - b))
    assert.ok(Math.abs(shareOf(upstream, 'c') - 1 / 3) < 0.01)
    assert.ok(new Set(grown).size >= 3, String(grown))
    await upstream.close(AbortSignal.abort())
  })

  test('gets fewer connections than its number of free ones would give it', async () => {
    const upstream = upstreamOf([to('a'), to('b')], { slowStartMs: 60_000, balance: 'least-connections' })
    upstream.set.replace([to('a'), to('b'), to('c')])
    for (const target of upstream.set.targets) target.inFlight = target.name === 'c:80' ? 1 : 5
    assert.ok(!picks(upstream, 10).includes('c'))
    await upstream.close(AbortSignal.abort())
  })
})

describe('targets that several configurations have', () => {
  test('whatever configurations come, fail, take over and go: nobody is picked who should not be, nobody is left behind', async () => {
    const chance = randomFrom(7)
    for (let round = 0; round < 20; round++) {
      const store = createTargetStore(connecting)
      const list = (): TargetSettings[] => ['a', 'b', 'c', 'd', 'e'].filter(() => chance(2) === 0).map((host) => (
        to(host, { weight: chance(3), priority: chance(2), backup: chance(4) === 0 })
      ))
      const make = (): Upstream => upstreamOf(list(), { drainMs: [0, 60_000, Infinity][chance(3)]!, slowStartMs: [0, 60_000][chance(2)]! }, store)
      const open = [make()]
      let used = open[0]!
      for (let turn = 0; turn < 60; turn++) {
        const any = open[chance(open.length)]!
        if (chance(4) === 0) open.push(make())
        if (chance(4) === 0) (used = any).set.takeOver()
        if (chance(4) === 0 && any !== used) await open.splice(open.indexOf(any), 1)[0]!.close(AbortSignal.abort())
        if (chance(4) === 0) used.set.replace(list())
        used.set.mark(`${'abcde'[chance(5)]!}:80`, (['down', 'ejected', 'drained', 'open'] as const)[chance(4)]!, chance(2) === 0)
        const picked = used.set.pick(nobody)
        const may = used.set.targets.filter(({ standing, settings: { weight } }) => standing === 0 && weight > 0)
        if (picked === undefined) assert.equal(may.length, 0)
        else assert.ok(may.includes(picked), picked.name)
      }
      for (const one of open.splice(0)) if (one !== used) await one.close(AbortSignal.abort())
      await used.close(AbortSignal.abort())
      assert.ok(store.isEmpty)
    }
  })

  test('are the same for both: what is marked, counted and learned lives on', () => {
    const store = createTargetStore(connecting)
    const old = upstreamOf([to('a'), to('b')], {}, store)
    old.set.mark('a:80', 'drained', true)
    old.set.get('b:80')!.begin()
    const next = upstreamOf([to('a', { weight: 5 }), to('b'), to('c')], { balance: 'least-connections' }, store)
    next.set.takeOver()
    assert.equal(next.set.get('b:80'), old.set.get('b:80'))
    assert.ok(!picks(next, 4).includes('a'))
    assert.deepEqual(next.targets.map(({ inFlight }) => inFlight), [0, 1, 0])
  })

  test('do as the one in use says: the next one says nothing before it takes over, or when it never does', async () => {
    const store = createTargetStore(connecting)
    const old = upstreamOf([to('a', { weight: 2 }), to('b')], {}, store)
    const next = upstreamOf([to('a', { weight: 7 }), to('c')], { slowStartMs: 60_000 }, store)
    assert.deepEqual(old.targets.map(({ weight }) => weight), [2, 1])
    await next.close(AbortSignal.abort())
    assert.equal(picks(old, 3), 'aba')
    const heard: string[] = []
    old.set.onOutcome(({ name }) => heard.push(name))
    old.set.get('a:80')!.answered(200, 1)
    assert.deepEqual(heard, ['a:80'])
  })

  test('of the old one are there for its exchanges after the next took over', () => {
    const store = createTargetStore(connecting)
    const old = upstreamOf([to('a'), to('b')], {}, store)
    upstreamOf([to('c')], { drainMs: 60_000 }, store).set.takeOver()
    assert.equal(picks(old, 2), 'ab')
  })

  test('start slowly when the next configuration brings them, and keep their age in the one after', async () => {
    const store = createTargetStore(connecting)
    upstreamOf([to('a')], {}, store)
    const second = upstreamOf([to('a'), to('b')], { slowStartMs: 60_000 }, store)
    second.set.takeOver()
    const third = upstreamOf([to('a'), to('b', { weight: 2 })], { slowStartMs: 60_000 }, store)
    third.set.takeOver()
    const [a, b] = third.targets.map(({ weight }) => weight) as [number, number]
    assert.equal(a, 1)
    assert.ok(Math.abs(b - 0.2) < 0.02, String(b))
    await Promise.all([second, third].map((one) => one.close(AbortSignal.abort())))
  })
})
