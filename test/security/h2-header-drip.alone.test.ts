import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assertHeld, fortress } from '../support/under-attack.ts'

test('a head that comes octet by octet has the time of a request, and no more', async (t) => {
  const { besiege } = await fortress(t, 'request-timeout "500ms"')
  for (const name of ['drip-continuation', 'drip-octets'] as const) {
    await t.test(name, async () => {
      const siege = await besiege(name, { until: 'closed' })
      assert.ok(siege.ends.includes('closed'), `the attacker was told ${JSON.stringify(siege.ends)}`)
      assertHeld(siege)
    })
  }
})
