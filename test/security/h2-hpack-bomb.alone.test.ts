import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AttackName } from '../support/h2-attacks.ts'
import { assertHeld, fortress } from '../support/under-attack.ts'

/** How each connection of the attacker ends; `undefined`: it goes on. */
const attacks: ReadonlyArray<readonly [name: AttackName, end: string | undefined]> = [
  ['hpack-bomb', 'ENHANCE_YOUR_CALM'],
]

test('an octet that stands for kilobytes costs an octet', async (t) => {
  const { besiege } = await fortress(t)
  for (const [name, end] of attacks) {
    await t.test(name, async () => {
      const siege = await besiege(name, end === undefined ? {} : { until: end })
      if (end !== undefined) assert.ok(siege.ends.includes(end), `the attacker was told ${JSON.stringify(siege.ends)}`)
      assertHeld(siege)
    })
  }
})
