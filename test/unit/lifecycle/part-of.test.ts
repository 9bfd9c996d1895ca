import assert from 'node:assert/strict'
import { test } from 'node:test'
import { partOf } from '../../../proxy/lifecycle/upstream-settings.ts'

test('the parts of all workers are the limit, and none is less than one', () => {
  for (const [limit, workers] of [[10, 4], [4, 4], [100, 3], [7, 1]] as const) {
    const parts = Array.from({ length: workers }, (_, i) => partOf(limit, { number: i + 1, workers }))
    assert.equal(parts.reduce((sum, part) => sum + part, 0), limit, `${limit} among ${workers}`)
    assert.ok(Math.max(...parts) - Math.min(...parts) <= 1)
  }
  assert.equal(partOf(2, { number: 4, workers: 4 }), 1)
  assert.equal(partOf(Infinity, { number: 1, workers: 4 }), Infinity)
})
