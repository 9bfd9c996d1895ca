import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { fromRoot } from '../support/paths.ts'

test('the configuration in the README loads', () => {
  const blocks = [...readFileSync(fromRoot('README.md'), 'utf8').matchAll(/```kdl\n([^]*?)```/g)].map(([, text]) => text!)
  assert.ok(blocks.length >= 2)
  const [whole, ...pieces] = blocks
  for (const text of [whole!, ...pieces.map((piece) => `${whole}\nagents { ${piece} }`)]) {
    const { problems } = checkText(text, '/nowhere/sentinel.kdl', { env: {} })
    assert.deepEqual(problems.filter(({ severity }) => severity !== 'note').map(({ message }) => message), [])
  }
})
