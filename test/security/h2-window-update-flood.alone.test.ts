import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['window-update', 'ENHANCE_YOUR_CALM'],
]

test('WINDOW_UPDATE without end ends the connection', (t) => withstands(t, attacks))
