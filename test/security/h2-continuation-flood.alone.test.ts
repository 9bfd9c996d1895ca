import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['continuation-empty', 'ENHANCE_YOUR_CALM'],
  ['continuation-full', 'ENHANCE_YOUR_CALM'],
]

test('a head that never ends is given up before it is large', (t) => withstands(t, attacks))
