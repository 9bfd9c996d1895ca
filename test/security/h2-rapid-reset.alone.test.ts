import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['rapid-reset', 'ENHANCE_YOUR_CALM'],
]

test('a client that resets its streams at once is told to calm down', (t) => withstands(t, attacks))
