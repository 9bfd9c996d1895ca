import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['zero-window', 'ENHANCE_YOUR_CALM'],
  ['one-byte-window', undefined],
]

test('10 000 requests whose answers nobody reads hold next to nothing', (t) => withstands(t, attacks))
