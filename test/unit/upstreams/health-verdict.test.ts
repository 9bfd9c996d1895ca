// What a row of checks makes of a target, and when they come.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { partOf } from '../../../proxy/upstreams/health/evidence.ts'
import { firstCheckMs, nextCheckMs } from '../../../proxy/upstreams/health/schedule.ts'
import { afterCheck, unchecked, type Verdict } from '../../../proxy/upstreams/health/verdict.ts'
import { Warmth } from '../../../proxy/upstreams/health/warmth.ts'
import { randomFrom } from '../../support/chance.ts'

/** From 0 up to 1, the same row each time. */
function chance (): () => number {
  const random = randomFrom(7)
  return () => random(1_000_000) / 1_000_000
}

const thresholds = { healthyThreshold: 2, unhealthyThreshold: 3 }

/** "+" = a good check; what is thought of the target after each: "?", "+" or "-". */
function verdicts (checks: string): string {
  let verdict: Verdict = unchecked
  return [...checks].map((check) => {
    verdict = afterCheck(verdict, check === '+', thresholds)
    return verdict.healthy === undefined ? '?' : verdict.healthy ? '+' : '-'
  }).join('')
}

describe('a verdict', () => {
  test('falls with the first check, and changes after as many in a row as are asked for', () => {
    assert.equal(verdicts('-'), '-')
    assert.equal(verdicts('+'), '+')
    assert.equal(verdicts('-+-++'), '----+')
    assert.equal(verdicts('+--+---'), '++++++-')
    assert.equal(verdicts('+---+++---'), '+++--++++-')
  })
})

describe('checks', () => {
  test('begin within the interval, and within a second when it is long', () => {
    const random = chance()
    for (let i = 0; i < 1_000; i++) {
      assert.ok(firstCheckMs(60_000, random) <= 1_000)
      assert.ok(firstCheckMs(50, random) <= 50)
    }
  })

  test('come a tenth early or late, evenly, so that many do not fall into step', () => {
    const random = chance()
    const all = Array.from({ length: 10_000 }, () => nextCheckMs(1_000, random))
    assert.ok(Math.min(...all) >= 900 && Math.max(...all) <= 1_100)
    const mean = all.reduce((sum, ms) => sum + ms, 0) / all.length
    assert.ok(Math.abs(mean - 1_000) < 5, `${mean}`)
  })
})

test('a completion that takes many times the usual time shows a cold target, once the usual time is known', () => {
  const warmth = new Warmth({ sampleSize: 3, coldFactor: 3, action: 'log-only' })
  assert.deepEqual([900, 10, 12, 31, 40, 11].map((ms) => warmth.isCold(ms)), [false, false, false, false, true, false])
})

test('several workers together let through as many probes as one would, and those without a place none', () => {
  const target = { upstream: 'app', target: 'a:1', reasons: [], attentive: true, share: 1, retryMs: 0 }
  const gate = { gate: 'route all', open: false, attentive: true, retryMs: 0 }
  for (const [probes = 0, workers = 1] of [[1, 4], [5, 4], [8, 3], [3, 3], [1, 1]]) {
    const parts = Array.from({ length: workers }, (_, i) => partOf({ targets: [{ ...target, probes }], gates: [{ ...gate, probes }] }, i, workers))
    const [targets, gates] = [parts.map((part) => part.targets[0]!), parts.map((part) => part.gates[0]!)]
    for (const orders of [targets, gates]) assert.equal(orders.reduce((sum, order) => sum + (order.probes ?? 0), 0), probes)
    assert.ok(targets.every((order) => order.reasons.includes('open') === (order.probes === undefined)))
    assert.ok(gates.every((order) => order.open === (order.probes === undefined)))
  }
  const plain = { targets: [{ ...target, probes: undefined }], gates: [] }
  assert.deepEqual(partOf(plain, 1, 4), plain)
})
