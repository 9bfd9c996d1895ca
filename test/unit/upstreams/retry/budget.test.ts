import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RetryBudget } from '../../../../proxy/upstreams/retry/budget.ts'

/** How many further tries there are at once. */
function allowed (budget: RetryBudget, nowMs: number): number {
  let count = 0
  while (count < 10_000 && budget.withdraw(nowMs)) count++
  return count
}

function deposits (budget: RetryBudget, requests: number, nowMs: number): void {
  for (let i = 0; i < requests; i++) budget.deposit(nowMs)
}

test('further tries are a share of the requests of the last ten seconds', () => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 0 })
  assert.equal(allowed(budget, 50_000), 0)
  deposits(budget, 100, 50_000)
  assert.equal(allowed(budget, 50_000), 20)
  assert.equal(allowed(budget, 55_000), 0, 'what was taken does not come back by waiting')
  deposits(budget, 50, 55_000)
  assert.equal(allowed(budget, 55_500), 10)
  deposits(budget, 10, 63_000)
  assert.equal(allowed(budget, 63_000), 2, 'the first hundred, and what they paid for, are forgotten')
  assert.equal(allowed(budget, 1e7), 0)
})

test('a few each second are allowed in any case, and do not add up', () => {
  const budget = new RetryBudget({ percent: 0, minPerSecond: 5 })
  assert.equal(allowed(budget, 90_000), 5)
  assert.equal(allowed(budget, 90_200), 1)
  assert.equal(allowed(budget, 91_200), 5)
  assert.equal(allowed(budget, 99_000), 5)
})

test('what is allowed in any case counts against the share', () => {
  const budget = new RetryBudget({ percent: 50, minPerSecond: 10 })
  assert.equal(allowed(budget, 20_000), 10)
  deposits(budget, 20, 20_000)
  assert.equal(allowed(budget, 20_000), 0)
  deposits(budget, 20, 20_000)
  assert.equal(allowed(budget, 20_000), 10)
})

test('under steady failure all tries together stay within the share, however long it takes', () => {
  const budget = new RetryBudget({ percent: 20, minPerSecond: 10 })
  let tries = 0
  // A thousand requests a second for a minute, each of which would be tried three times.
  for (let ms = 0; ms < 60_000; ms++) {
    budget.deposit(ms)
    tries++
    for (let more = 0; more < 2 && budget.withdraw(ms); more++) tries++
  }
  assert.ok(tries >= 60_000 * 1.19 && tries <= 60_000 * 1.21, `${tries} tries`)
})
