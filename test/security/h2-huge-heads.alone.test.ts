import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['huge-heads', 'ENHANCE_YOUR_CALM'],
  ['many-fields', 'ENHANCE_YOUR_CALM'],
]

test('heads above the limits are refused one by one, and then for good', (t) => withstands(t, attacks))
