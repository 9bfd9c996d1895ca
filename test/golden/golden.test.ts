/**
 * Each .txt file in this folder is a configuration, a line of dashes, and what is printed about it. `UPDATE_GOLDEN=1 node --test dist/test/golden`
 * writes the second half anew: read the difference before you commit it.
 */
import { strict as assert } from 'node:assert'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { checkText, printProblems } from '../../config/sentinel/index.ts'
import { otherKey, serverCertificate, serverKey } from './certificates.ts'

const line = '----------\n'
const folder = sourceFolder()
const scratch = mkdtempSync(join(tmpdir(), 'sentinel-golden-'))
const env = { CERT: put('server.crt', serverCertificate), KEY: put('server.key', serverKey), OTHER_KEY: put('other.key', otherKey), MMDB: put('country.mmdb', '\xab\xcd\xefMaxMind.com'), USERS: put('users', '# staff\nalice:$apr1$abcdefgh$qWrZa/a40/nRwzoXi.WTr.\nbob:{SHA}2jmj7l5rSw0yVb/vlWAYkK/YBwk=\nno colon\nalice:x\n'), ADDRESSES: put('addresses', '10.0.0.0/8 ; office\n10.0.0.300\n'), SECRET: 'hunter2 is secret', PORT: '8080' }

after(() => rmSync(scratch, { recursive: true, force: true }))

describe('what an operator is told about a mistake', () => {
  const files = readdirSync(folder).filter(name => name.endsWith('.txt')).toSorted()
  test('there are goldens for at least 45 mistakes', () => assert.ok(files.length >= 45, `found ${files.length}`))
  for (const name of files) {
    test(name.replace(/\.txt$/, '').replaceAll('-', ' '), () => {
      const whole = readFileSync(join(folder, name), 'utf8')
      const cut = whole.indexOf(line)
      const text = whole.slice(0, cut)
      const { config, problems, sources } = checkText(text, 'sentinel.kdl', { env })
      const printed = printProblems(problems, sources)
      if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(join(folder, name), text + line + printed)
      else assert.equal(printed, whole.slice(cut + line.length))
      assert.equal(config === undefined, problems.some(problem => problem.severity === 'error'), 'a configuration is handed out exactly when there is no error')
      assert.ok(!printed.includes(env.SECRET), 'a value from the environment is never printed')
    })
  }
})

function put (name: string, content: string): string {
  const path = join(scratch, name)
  writeFileSync(path, content, { mode: 0o600, encoding: name.endsWith('.mmdb') ? 'latin1' : 'utf8' })
  return path
}

function sourceFolder (): string {
  let at = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(at, 'package.json'))) at = dirname(at)
  return join(at, 'test', 'golden')
}
