import assert from 'node:assert/strict'
import test from 'node:test'
import { cursorAt } from '../../../config/language-server/cursor.ts'
import { readTree } from '../../../config/language-server/tree.ts'

test('a text of nothing but braces is read in no time and without running out of stack', () => {
  const started = process.cpuUsage()
  for (const text of ['{'.repeat(200_000), '}'.repeat(200_000), 'a {\n '.repeat(50_000), 'a "'.repeat(100_000)]) cursorAt(readTree(text), text.length)
  assert.ok(process.cpuUsage(started).user < 5_000_000)
})
