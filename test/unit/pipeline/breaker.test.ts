// A circuit breaker, as a table of what it is told and what it says.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Breaker } from '../../../proxy/pipeline/breaker.ts'

const ok = { ok: 1, failed: 0 }
const failed = { ok: 0, failed: 1 }
const breaker = (): Breaker => new Breaker({ failureThreshold: 3, successThreshold: 2, timeoutMs: 1_000, halfOpenMaxRequests: 1 })

function opened (): Breaker {
  const one = breaker()
  for (let i = 0; i < 3; i++) one.note(failed, 0)
  return one
}

describe('a breaker', () => {
  test('opens after so many failures in a row, and not by more of them with a good one between', () => {
    const one = breaker()
    for (let i = 0; i < 10; i++) {
      assert.equal(one.note({ ok: 0, failed: 2 }, 0), false)
      assert.equal(one.note(ok, 0), false)
    }
    assert.equal(one.note(failed, 0), false)
    assert.equal(one.note({ ok: 1, failed: 2 }, 0), false, 'the good ones of a report came first')
    assert.equal(one.note(failed, 5), true)
    assert.deepEqual([one.state, one.dueMs], ['open', 1_005])
  })

  test('is half open when its time is over, and not before', () => {
    const one = opened()
    assert.equal(one.wake(999), false)
    assert.equal(one.wake(1_000), true)
    assert.deepEqual([one.state, one.dueMs], ['half-open', Infinity])
    assert.equal(one.wake(5_000), false, 'once')
  })

  test('hears nothing while it is open: those answers were asked for before', () => {
    const one = opened()
    for (let i = 0; i < 5; i++) assert.equal(one.note(ok, 10), false)
    assert.equal(one.note(failed, 500), false)
    assert.deepEqual([one.state, one.dueMs], ['open', 1_000])
  })

  test('closes after so many good probes in a row, and begins to count anew', () => {
    const one = opened()
    one.wake(1_000)
    assert.equal(one.note(ok, 1_001), false)
    assert.equal(one.note(ok, 1_002), true)
    assert.equal(one.state, 'closed')
    assert.equal(one.note({ ok: 0, failed: 2 }, 1_003), false)
    assert.equal(one.note(failed, 1_004), true)
  })

  test('opens again with the first probe that fails, for the whole time', () => {
    const one = opened()
    one.wake(1_000)
    one.note(ok, 1_001)
    assert.equal(one.note(failed, 1_100), true)
    assert.deepEqual([one.state, one.dueMs], ['open', 2_100])
    one.wake(2_100)
    assert.equal(one.note(ok, 2_101), false, 'the good probe before does not count any more')
  })
})
