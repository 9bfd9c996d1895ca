import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['hpack-bomb', 'ENHANCE_YOUR_CALM'],
]

test('an octet that stands for kilobytes costs an octet', (t) => withstands(t, attacks))
