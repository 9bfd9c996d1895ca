import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['priority', 'ENHANCE_YOUR_CALM'],
  ['unknown', 'ENHANCE_YOUR_CALM'],
]

test('PRIORITY, and frames nobody knows, without end end the connection', (t) => withstands(t, attacks))
