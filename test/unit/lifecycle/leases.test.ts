import assert from 'node:assert/strict'
import { test } from 'node:test'
import { canonicalKey, Leases } from '../../../proxy/lifecycle/leases.ts'

test('what two hold is opened once and closed when the second lets go', async () => {
  const leases = new Leases()
  let opened = 0
  let closed = 0
  const use = () => leases.use('k', () => ++opened, async () => { closed++ })
  const first = use()
  const second = use()
  assert.equal(first.value, second.value)
  first.release()
  first.release()
  assert.equal(closed, 0)
  second.release()
  await leases.settled()
  assert.deepEqual([opened, closed], [1, 1])
  use()
  assert.equal(opened, 2)
})

test('what could not be opened is not held', () => {
  const leases = new Leases()
  assert.throws(() => leases.use('k', () => { throw new Error('no') }, async () => {}), /no/)
  assert.equal(leases.has('k'), false)
})

test('the canonical key does not depend on the order of settings', () => {
  assert.equal(canonicalKey('upstream', { a: 1, b: { d: [1, 2], c: undefined } }), canonicalKey('upstream', { b: { d: [1, 2] }, a: 1 }))
  assert.equal(canonicalKey('upstream', { a: 1, at: { line: 1 } }), canonicalKey('upstream', { a: 1, at: { line: 2 } }), 'nor on the line they stand on')
  assert.notEqual(canonicalKey('upstream', { a: [1, 2] }), canonicalKey('upstream', { a: [2, 1] }))
})
