import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { printCodec } from '../../../proto/generate/print-codec.ts'
import { printReference } from '../../../proto/generate/print-reference.ts'
import { readSchema } from '../../../proto/generate/schema.ts'

const home = join(import.meta.dirname, '../../../../proto')
const from = 'sentinel/agent/v1/agent.proto'

test('codec and reference are what the .proto file says', () => {
  const schema = readSchema(readFileSync(join(home, from), 'utf8'))
  assert.equal(printCodec(schema, `proto/${from}`), readFileSync(join(home, 'codec/agent.ts'), 'utf8'))
  assert.equal(printReference(schema, from), readFileSync(join(home, 'REFERENCE.md'), 'utf8'))
})

test('a .proto file with something the printer cannot print is refused', () => {
  const refused = {
    'a oneof must be called kind': 'message A { oneof other { bool a = 1; } }',
    'only map<string, string>': 'message A { map<string, bytes> a = 1; }',
    'numbers must run from 0': 'enum A { B = 0; C = 2; }',
    'must not enclose': 'message A { oneof kind { bool a = 1; bool c = 3; } bool b = 2; }',
  }
  for (const [why, text] of Object.entries(refused)) {
    assert.throws(() => readSchema(`syntax = "proto3"; package p; ${text}`), { message: new RegExp(why) })
  }
  assert.throws(() => printCodec(readSchema('syntax = "proto3"; package p; message A { sint32 a = 1; }'), ''), /no reader for sint32/)
})
