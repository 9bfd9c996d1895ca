import { test } from 'node:test'
import { withstands, type Attacks } from '../support/under-attack.ts'

const attacks: Attacks = [
  ['table-sizes', 'COMPRESSION_ERROR'],
]

test('more changes of the table size than anybody needs are an error', (t) => withstands(t, attacks))
