import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ExpiryNotices, expiryStep } from '../../../proxy/certificates/expiry.ts'

const day = 86_400_000

test('the end of a certificate is told of 30, 14 and 7 days before, and then every day', () => {
  const notices = new ExpiryNotices()
  const told: number[] = []
  for (let hour = 0; hour <= 41 * 24; hour++) {
    const now = hour * 3_600_000
    for (const { text, expired } of notices.due([{ id: 'a', title: 'a.test', validTo: 40 * day }], now)) {
      told.push(Math.floor((40 * day - now) / day))
      assert.equal(expired, now >= 40 * day)
      assert.match(text, /^expire[sd] /)
    }
  }
  assert.deepEqual(told, [30, 14, 7, 6, 5, 4, 3, 2, 1, 0, -1])
  assert.equal(expiryStep(31 * day, 0), undefined)
})

test('each certificate counts for itself, one that is exchanged is told of anew', () => {
  const notices = new ExpiryNotices()
  const due = (...ids: string[]): string[] => notices.due(ids.map((id) => ({ id, title: id, validTo: 5 * day })), 0).map(({ title, text }) => `${title} ${text}`)
  assert.deepEqual(due('a', 'b', 'a'), ['a expires in 5 days, on 1970-01-06', 'b expires in 5 days, on 1970-01-06'])
  assert.deepEqual(due('a', 'c'), ['c expires in 5 days, on 1970-01-06'])
  assert.deepEqual(due('b'), ['b expires in 5 days, on 1970-01-06'])
})
