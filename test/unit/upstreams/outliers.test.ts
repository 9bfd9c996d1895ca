// Who is taken out for answering worse than the others, for how long, and who never is.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Outliers, type OutlierSettings, type Tally } from '../../../proxy/upstreams/outliers.ts'

const settings: OutlierSettings = {
  consecutiveErrors: 3, consecutiveGatewayErrors: 0, errorRate: undefined, maxLatencyMs: undefined, latencyFactor: undefined, minRequests: 10,
  intervalMs: 1_000, baseEjectionMs: 5_000, maxEjectionMs: 12_000, maxEjectionPercent: 50,
}
const good = (ok: number, ms = 10): Tally => ({ ok, failed: 0, gateway: 0, answerMs: ok * ms, answers: ok })
const bad = (failed: number, gateway = 0): Tally => ({ ok: 0, failed, gateway, answerMs: 0, answers: 0 })
const outliers = (given: Partial<OutlierSettings> = {}, names = ['a', 'b', 'c', 'd'], isLast?: (name: string) => boolean): Outliers => new Outliers({ ...settings, ...given }, names, 0, isLast)
const names = (changes: readonly { readonly target: string, readonly ejected: boolean }[]): string[] => changes.map(({ target, ejected }) => `${ejected ? '-' : '+'}${target}`)

describe('failures in a row', () => {
  test('eject a target, and good ones between keep it', () => {
    const all = outliers()
    for (let i = 0; i < 5; i++) {
      assert.equal(all.note('a', bad(2), 0), undefined)
      assert.equal(all.note('a', good(1), 0), undefined)
    }
    assert.equal(all.note('a', bad(2), 0), undefined)
    assert.deepEqual(all.note('a', bad(1), 0), { target: 'a', ejected: true, why: '3 failures in a row' })
    assert.equal(all.note('a', bad(9), 0), undefined, 'once')
  })

  test('of the gateway kind are counted for themselves: an answer of the application, even 500, ends their row', () => {
    const all = outliers({ consecutiveErrors: 0, consecutiveGatewayErrors: 3 })
    assert.equal(all.note('a', bad(2, 2), 0), undefined)
    assert.equal(all.note('a', bad(1, 0), 0), undefined)
    assert.equal(all.note('a', bad(2, 2), 0), undefined)
    assert.equal(all.note('a', bad(1, 1), 0)?.why, '3 gateway failures in a row')
  })

  test('do not count when they are told to be 0', () => {
    const all = outliers({ consecutiveErrors: 0 })
    assert.equal(all.note('a', bad(1_000), 0), undefined)
  })
})

describe('an ejection', () => {
  test('is over after the base time, and longer with each repetition, up to the longest', () => {
    const all = outliers()
    let nowMs = 0
    for (const lastsMs of [5_000, 10_000, 12_000]) {
      all.note('a', bad(3), nowMs)
      assert.deepEqual(names(all.due(nowMs + lastsMs - 1)), [])
      nowMs += lastsMs
      assert.deepEqual(names(all.due(nowMs)), ['+a'])
    }
  })

  test('is forgotten bit by bit in intervals without another one', () => {
    const all = outliers()
    all.note('a', bad(3), 0)
    assert.deepEqual(names(all.due(5_000)), ['+a'])
    for (let ms = 6_000; ms <= 8_000; ms += 1_000) all.due(ms)
    all.note('a', bad(3), 9_000)
    assert.deepEqual(names(all.due(13_999)), [])
    assert.deepEqual(names(all.due(14_000)), ['+a'], 'as long as the first one')
  })

  test('spares those beyond the share, one of several always may be ejected, and the only one never', () => {
    const eject = (percent: number, among: readonly string[]): number => {
      const all = outliers({ maxEjectionPercent: percent }, [...among])
      return among.filter((name) => all.note(name, bad(3), 0) !== undefined).length
    }
    const ten = [...'abcdefghij']
    assert.deepEqual([eject(10, ten), eject(35, ten), eject(100, ten), eject(10, ['a', 'b']), eject(100, ['a', 'b']), eject(100, ['a'])], [1, 3, 9, 1, 1, 0])
  })

  test('spares the last one that is well', () => {
    const all = outliers({}, ['a', 'b', 'c'], (name) => name === 'a')
    assert.equal(all.note('a', bad(9), 0), undefined)
    assert.ok(all.note('b', bad(9), 0))
  })

  test('is due at a known time', () => {
    const all = outliers({ intervalMs: 60_000 })
    assert.equal(all.dueMs, 60_000)
    all.note('a', bad(3), 100)
    assert.equal(all.dueMs, 5_100)
  })

  test('ends with the target that leaves the list', () => {
    const all = outliers({}, ['a', 'b'])
    all.note('a', bad(3), 0)
    all.retarget(['b', 'c'])
    assert.deepEqual(names(all.due(5_000)), [])
    assert.ok(all.note('b', bad(3), 6_000), 'nobody is out any more')
  })
})

describe('at the end of an interval', () => {
  test('a share of failures ejects, where there were enough tries to tell', () => {
    const all = outliers({ errorRate: 50, consecutiveErrors: 0, maxEjectionPercent: 100 })
    all.note('a', { ...good(5), failed: 5 }, 0)
    all.note('b', { ...good(6), failed: 4 }, 0)
    all.note('c', { ...good(4), failed: 5 }, 0)
    assert.deepEqual(all.due(999), [])
    assert.deepEqual(all.due(1_000).map(({ target, why }) => `${target}: ${why}`), ['a: 50 % of 10 tries failed'])
    assert.deepEqual(all.due(2_000), [], 'the next interval begins at nothing')
  })

  test('answers that take too long eject', () => {
    const all = outliers({ maxLatencyMs: 100 })
    all.note('a', good(10, 101), 0)
    all.note('b', good(10, 99), 0)
    assert.deepEqual(names(all.due(1_000)), ['-a'])
  })

  test('answers that take many times as long as those of the others eject, of two as of many', () => {
    for (const among of [['a', 'b'], ['a', 'b', 'c', 'd', 'e']]) {
      const all = outliers({ latencyFactor: 3 }, among)
      for (const name of among) all.note(name, good(20, name === 'a' ? 61 : 20), 0)
      assert.deepEqual(names(all.due(1_000)), ['-a'], among.join())
    }
  })

  test('when all are slow nobody is slower than usual, and alone nobody is either', () => {
    const all = outliers({ latencyFactor: 2 })
    for (const name of 'abcd') all.note(name, good(20, 5_000), 0)
    assert.deepEqual(all.due(1_000), [])
    const one = outliers({ latencyFactor: 2 }, ['a'])
    one.note('a', good(20, 5_000), 0)
    assert.deepEqual(one.due(1_000), [])
  })
})
