import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['settings', 'ENHANCE_YOUR_CALM'],
  ['settings-full', 'ENHANCE_YOUR_CALM'],
  ['settings-windows', 'ENHANCE_YOUR_CALM'],
]

test('SETTINGS without end end the connection', (t) => withstands(t, attacks))
