import { strict as assert } from 'node:assert'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generated, sourceRoot } from '../../../config/generate.ts'

for (const [file, content] of Object.entries(generated())) {
  test(`${file} is what the table says`, () => {
    assert.ok(readFileSync(join(sourceRoot(), file), 'utf8') === content, 'run node dist/config/generate.js')
  })
}
