import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['deaf', undefined],
  ['deaf-large', undefined],
]

test('a client that reads nothing of what it is told is read no further', (t) => withstands(t, attacks))
