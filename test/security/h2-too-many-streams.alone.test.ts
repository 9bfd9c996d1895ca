import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['streams', 'ENHANCE_YOUR_CALM'],
]

test('more streams than allowed are refused, and then for good', (t) => withstands(t, attacks))
