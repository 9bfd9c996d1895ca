import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttackName } from '../support/h2-attacks.ts'
import { assertHeld, fortress } from '../support/under-attack.ts'

/** How each connection of the attacker ends; `undefined`: it goes on. */
const attacks: ReadonlyArray<readonly [name: AttackName, end: string | undefined]> = [
  ['continuation-empty', 'ENHANCE_YOUR_CALM'],
  ['continuation-full', 'ENHANCE_YOUR_CALM'],
]

test('a head that never ends is given up before it is large', async (t) => {
  const { besiege } = await fortress(t)
  for (const [name, end] of attacks) {
    await t.test(name, async () => {
      const siege = await besiege(name, end === undefined ? {} : { until: end })
      if (end !== undefined) assert.ok(siege.ends.includes(end), `the attacker was told ${JSON.stringify(siege.ends)}`)
      assertHeld(siege)
    })
  }
})
