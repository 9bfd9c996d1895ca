import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['one-byte-data', undefined],
  ['one-byte-data-read', undefined],
]

test('bodies that come octet by octet slow nobody down, read or not', (t) => withstands(t, attacks))
