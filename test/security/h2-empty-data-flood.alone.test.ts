import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['empty-data', 'ENHANCE_YOUR_CALM'],
  ['padded-data', 'ENHANCE_YOUR_CALM'],
]

test('DATA that say nothing, without end, end the connection', (t) => withstands(t, attacks))
