import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { fromRoot } from '../support/paths.ts'

test('the configurations in the README load', () => {
  const blocks = [...readFileSync(fromRoot('README.md'), 'utf8').matchAll(/```kdl\n([^]*?)```/g)].map(([, text]) => text!)
  assert.ok(blocks.length >= 2)
  const [whole, ...pieces] = blocks
  const isWhole = (text: string): boolean => text.includes('listeners {')
  for (const text of [whole!, ...pieces.map((piece) => isWhole(piece) ? piece : `${whole}\nagents { ${piece} }`)]) {
    const { problems } = checkText(text, '/nowhere/sentinel.kdl', { env: {}, textOnly: true })
    assert.deepEqual(problems.filter(({ severity }) => severity !== 'note').map(({ message }) => message), [])
  }
})
