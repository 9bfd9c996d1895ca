// What the documentation shows for each use case is how its example starts: all that it says, but for addresses and files, is said there.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { everyMember } from '../../config/schema/index.ts'
import { checkText, effectiveConfig } from '../../config/sentinel/index.ts'
import { fromRoot } from '../support/paths.ts'

/** They are of the machine that it runs on. */
const ofTheMachine = new Set(['address', 'cert-file', 'key-file', 'root', 'unix-socket.path'])

/** Settings that a text gives, with their values, in the preferred spelling. */
function said (text: string): ReadonlySet<string> {
  const loaded = checkText(text, '/x/sentinel.kdl', { env: {}, textOnly: true })
  const found = new Set<string>()
  for (const member of everyMember(effectiveConfig(loaded))) {
    if (member.kind !== 'setting' || member.at === undefined) continue
    const names = member.path.split('.')
    if (ofTheMachine.has(names.at(-1)!) || ofTheMachine.has(names.slice(-2).join('.'))) continue
    found.add(`${member.path} ${JSON.stringify(member.values.map(({ value }) => value))}`)
  }
  return found
}

for (const file of readdirSync(fromRoot('test', 'conformance', 'use-cases'))) {
  const name = file.replace('.kdl', '')
  test(`the example ${name} says what the use case shows`, { skip: existsSync(fromRoot('examples', name)) ? false : 'the example is not there yet' }, () => {
    const shown = said(readFileSync(fromRoot('test', 'conformance', 'use-cases', file), 'utf8'))
    const example = said(readFileSync(fromRoot('examples', name, 'sentinel.kdl'), 'utf8'))
    assert.ok(shown.size > 3)
    assert.deepEqual([...shown].filter((one) => !example.has(one)), [])
  })
}
