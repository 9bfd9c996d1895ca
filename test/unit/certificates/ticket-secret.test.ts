import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TicketSecret } from '../../../proxy/certificates/index.ts'

test('the secret of tickets is another one twice a day, everybody is told, and nothing leads back', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const told: string[] = []
  const secret = new TicketSecret((next) => told.push(next.toString('hex')))
  const first = secret.current.toString('hex')
  assert.equal(first.length, 64)
  t.mock.timers.tick(11 * 3_600_000)
  assert.deepEqual([told.length, secret.current.toString('hex')], [0, first])
  t.mock.timers.tick(14 * 3_600_000)
  assert.equal(told.length, 2)
  assert.equal(new Set([first, ...told]).size, 3)
  assert.equal(secret.current.toString('hex'), told[1])
  secret.close()
  t.mock.timers.tick(24 * 3_600_000)
  assert.equal(told.length, 2)
})
