import assert from 'node:assert/strict'
import { describe, test, type TestContext } from 'node:test'
import { Discovery, type DiscoveryEvent } from '../../../../proxy/upstreams/discovery/discovery.ts'
import { againIn, retryIn } from '../../../../proxy/upstreams/discovery/schedule.ts'
import { DiscoveryError, type Found, type Source } from '../../../../proxy/upstreams/discovery/source.ts'
import { believe, contentOf } from '../../../../proxy/upstreams/discovery/target-list.ts'

const to = (...ports: number[]) => ports.map((port) => believe({ host: '127.0.0.1', port }))

async function until (holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 2) })
}

/** Asks whatever `answer` is at the time; `changed` says that it is another one. */
function discovered (t: TestContext, given: { answer: () => Promise<Found>, allowEmpty?: boolean, before?: Found['targets'], patienceMs?: number }) {
  let changed: () => void = () => {}
  const source: Source = {
    patienceMs: given.patienceMs ?? 1_000,
    ask: () => given.answer(),
    watch: (tell) => {
      changed = tell
      return () => {}
    },
  }
  const lists: number[][] = []
  const events: DiscoveryEvent[] = []
  const asked: boolean[] = []
  const discovery = new Discovery(source, { intervalMs: 60_000, allowEmpty: given.allowEmpty ?? false, ...given.before === undefined ? {} : { before: given.before } }, {
    found: (targets) => lists.push(targets.map(({ port }) => port)),
    asked: (success) => asked.push(success),
    told: (event) => events.push(event),
  })
  // Its own timers keep no process alive.
  const alive = setInterval(() => {}, 1_000)
  t.after(() => {
    clearInterval(alive)
    discovery.close()
  })
  return { discovery, lists, events, asked, again: () => changed() }
}

describe('discovery', () => {
  test('gives the first list, and each that is of other content, in whatever order it comes', async (t) => {
    let targets = to(1, 2)
    const { lists, asked, again, events, discovery } = discovered(t, { answer: async () => ({ targets }) })
    await discovery.first
    targets = to(2, 1)
    again()
    await until(() => asked.length === 2)
    targets = to(2, 3)
    again()
    await until(() => asked.length === 3)
    assert.deepEqual(lists, [[1, 2], [2, 3]])
    assert.deepEqual(events.at(-1), { event: 'changed', total: 2, added: ['127.0.0.1:3'], removed: ['127.0.0.1:1'] })
  })

  test('keeps the last good list while nobody answers, says so once, and says when that is over', async (t) => {
    let fails = false
    const { lists, events, again, asked, discovery } = discovered(t, { answer: async () => {
      if (fails) throw new DiscoveryError('nobody there')
      return { targets: to(1) }
    } })
    await discovery.first
    fails = true
    for (let i = 2; i < 4; i++) {
      again()
      await until(() => asked.length === i)
    }
    assert.equal(discovery.state.state, 'failing')
    assert.deepEqual(discovery.state.targets.map(({ port }) => port), [1])
    fails = false
    again()
    await until(() => asked.at(-1) === true)
    assert.deepEqual(lists, [[1]])
    assert.deepEqual(events.map(({ event }) => event), ['changed', 'failed', 'recovered'])
    assert.equal(discovery.state.problem, undefined)
  })

  test('keeps it as well when an answer has no targets, unless that is allowed', async (t) => {
    for (const allowEmpty of [false, true]) {
      let targets = to(1)
      const { lists, again, asked, discovery, events } = discovered(t, { answer: async () => ({ targets }), allowEmpty })
      await discovery.first
      targets = []
      again()
      await until(() => asked.length === 2)
      assert.deepEqual(lists, allowEmpty ? [[1], []] : [[1]])
      assert.equal(discovery.state.state, allowEmpty ? 'found' : 'kept')
      assert.equal(events.at(-1)?.event, allowEmpty ? 'changed' : 'kept')
    }
  })

  test('starts with what was found before by somebody who asked the same', async (t) => {
    const { discovery, lists } = discovered(t, { answer: () => Promise.reject(new DiscoveryError('gone')), before: to(7) })
    await discovery.first
    assert.deepEqual([discovery.state.targets.map(({ port }) => port), lists], [[7], []])
  })

  test('does not wait for an answer that never comes, nor take one that is too large', async (t) => {
    const silent = discovered(t, { answer: () => new Promise(() => {}), patienceMs: 30 })
    const giant = discovered(t, { answer: async () => ({ targets: Array.from({ length: 10_001 }, (_, i) => believe({ host: '127.0.0.1', port: i + 1 })) }) })
    await Promise.all([silent.discovery.first, giant.discovery.first])
    assert.match(silent.discovery.state.problem ?? '', /no answer within 30 ms/)
    assert.match(giant.discovery.state.problem ?? '', /10001 targets/)
    assert.deepEqual(giant.lists, [])
  })

  test('a source that answers at once is not asked in circles', async (t) => {
    let asked = 0
    const { discovery } = discovered(t, { answer: async () => {
      asked++
      return { targets: to(1), againMs: 0 }
    } })
    await discovery.first
    await new Promise((resolve) => { setTimeout(resolve, 300) })
    assert.ok(asked >= 2 && asked <= 8, `${asked} times in 300 ms`)
  })
})

test('the time to the next question: about the interval, and after failures doubled up to half a minute or the interval', () => {
  assert.deepEqual([0, 0.5, 1].map((random) => againIn(10_000, random)), [9_000, 10_000, 11_000])
  assert.deepEqual([1, 2, 3, 50].map((failures) => retryIn(failures, 1_000, 1)), [500, 1_000, 2_000, 30_000])
  assert.equal(retryIn(50, 60_000, 0), 30_000)
})

test('what somebody says about a target is not believed when it cannot be', () => {
  for (const claim of [{ host: 'a b', port: 1 }, { host: '', port: 1 }, { host: 'a', port: 0 }, { host: 'a', port: 1.5 }, { host: 'a', port: '80' }, { host: 'a', port: 1, weight: -1 }, { host: 5, port: 1 }]) {
    assert.throws(() => believe(claim), DiscoveryError, JSON.stringify(claim))
  }
  assert.deepEqual(believe({ host: 'A.Example.', port: 1, zone: '', metadata: { x: 'y', n: 5 } }), { host: 'a.example', port: 1, weight: 1, priority: 0, metadata: { x: 'y' } })
  assert.equal(contentOf(to(1, 2)), contentOf(to(2, 1)))
  assert.notEqual(contentOf([believe({ host: 'a', port: 1 })]), contentOf([believe({ host: 'a', port: 1, zone: 'z' })]))
})
