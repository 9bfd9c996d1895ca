import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { eligible, type Standing } from '../../../proxy/upstreams/eligible.ts'
import { standingBits } from '../../../proxy/upstreams/index.ts'
import { warmingStepMs, warmthAt } from '../../../proxy/upstreams/slow-start.ts'

interface One extends Standing {
  readonly name: string
}

function one (name: string, more: Partial<Standing> = {}): One {
  return { name, weight: 1, standing: 0, priority: 0, backup: false, ...more }
}

/** Tiers in the order they are asked: "ab|c"; with "!" in a panic. */
function tiersOf (targets: readonly One[], panicShare = 0): string {
  const { tiers, panic } = eligible(targets, panicShare)
  return tiers.map(({ candidates }) => candidates.map(({ name }) => name).join('')).join('|') + (panic ? '!' : '')
}

const { down, ejected, open, drained, leaving } = standingBits

describe('who may be asked', () => {
  test('those that are well, whatever keeps the others from it', () => {
    assert.equal(tiersOf([one('a'), one('b', { standing: down }), one('c', { standing: ejected | open }), one('d', { standing: drained }), one('e', { standing: leaving }), one('f', { weight: 0 }), one('g')]), 'ag')
    assert.equal(tiersOf([]), '')
    assert.equal(tiersOf([one('a', { standing: down })]), '')
  })

  test('lower numbers first, backups behind all of them', () => {
    assert.equal(tiersOf([one('c', { backup: true }), one('b', { priority: 2 }), one('a'), one('d', { priority: 1000 })]), 'a|b|d|c')
    assert.equal(tiersOf([one('a', { standing: down }), one('b', { priority: 1 }), one('c', { backup: true, priority: 0 })]), 'b|c')
    assert.equal(tiersOf([one('a', { standing: down }), one('c', { backup: true })]), 'c')
  })

  test('a tier of which too little is well comes behind those that are better', () => {
    const first = ['a', 'b', 'c', 'd'].map((name) => one(name, { standing: name === 'a' ? 0 : down }))
    assert.equal(tiersOf([...first, one('x', { priority: 1 })]), 'a|x')
    assert.equal(tiersOf([...first, one('x', { priority: 1 })], 0.5), 'x|a')
    assert.equal(tiersOf([one('a', { weight: 3 }), one('b', { standing: down })], 0.5), 'ab'.slice(0, 1))
  })

  test('where no tier is well enough everybody of the first is asked, but for those that the operator took out, and those whose circuit breaker is open', () => {
    const few = [one('a'), one('b', { standing: down }), one('c', { standing: ejected }), one('d', { standing: down | drained })]
    assert.equal(tiersOf(few, 0.5), 'abc!')
    assert.equal(tiersOf(few), 'a')
    assert.equal(tiersOf([one('a', { standing: down }), one('b', { standing: open })], 0.1), 'a!')
    assert.equal(tiersOf([one('a', { standing: drained })], 0.5), '')
  })
})

describe('slow start', () => {
  test('goes from a tenth to everything, evenly', () => {
    assert.deepEqual([0, 1_000, 15_000, 29_999, 30_000, Infinity].map((age) => Number(warmthAt(age, 30_000).toFixed(3))), [0.1, 0.1, 0.5, 1, 1, 1])
  })

  test('grows in about twenty steps', () => {
    assert.deepEqual([100, 10_000, 600_000].map(warmingStepMs), [50, 500, 1_000])
  })
})
