import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['ping', 'ENHANCE_YOUR_CALM'],
  ['ping-deaf', 'closed'],
]

test('PING without end ends the connection, read or not', (t) => withstands(t, attacks))
