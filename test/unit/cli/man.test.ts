import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import test from 'node:test'
import type { Command } from '../../../proxy/cli/command.ts'
import { allCommands, commandNames } from '../../../proxy/cli/commands.ts'
import { manualPage } from '../../../proxy/cli/man.ts'

const commands = await allCommands()
const groff = spawnSync('groff', ['--version']).error === undefined

function formatted (page: string): string {
  const { stdout, stderr, status } = spawnSync('groff', ['-man', '-Tutf8', '-ww', '-P-c', '-P-b', '-P-u', '-P-o'], { input: page, encoding: 'utf8' })
  assert.equal(status, 0)
  assert.equal(stderr, '')
  return stdout
}

test('every command is called what it is found by', () => {
  assert.deepEqual(commands.map(({ name }) => name), commandNames)
})

test('the manual page has every command and every option of the table', () => {
  const page = manualPage(commands, '1.2.3')
  assert.match(page, /^\.TH SENTINEL 1 "" "sentinel 1\.2\.3"/)
  for (const { name, options } of commands) {
    assert.ok(page.includes(`.SS "sentinel ${name.replaceAll('-', '\\-')}`), name)
    for (const long of Object.keys(options)) assert.ok(page.includes(`\\fB\\-\\-${long.replaceAll('-', '\\-')}\\fR`), `${name} --${long}`)
  }
  for (const section of ['NAME', 'SYNOPSIS', 'DESCRIPTION', 'COMMANDS', 'EXIT STATUS', 'FILES', 'ENVIRONMENT', 'SIGNALS']) assert.ok(page.includes(`\n.SH ${section}\n`), section)
})

test('nothing in a sentence is an order to the formatter', { skip: !groff }, () => {
  const odd: Command = {
    name: 'odd', doc: '.so /etc/passwd is \\fBnot\\fR read', arguments: '[FILE…]', run: async () => 0,
    options: { strange: { type: 'string', short: 's', value: 'A"B', doc: '\'tis a "sentence" with `marks`, \\n and -- dashes.' } },
  }
  const text = formatted(manualPage([odd], '0')).replace(/\s+/g, ' ')
  assert.ok(text.includes('sentinel odd [FILE…] .so /etc/passwd is \\fBnot\\fR read'), text)
  assert.ok(text.includes('-s, --strange A"B \'tis a "sentence" with `marks`, \\n and -- dashes.'), text)
})

test('the real page is formatted without a warning', { skip: !groff }, () => {
  const text = formatted(manualPage(commands, '1.2.3'))
  for (const { name } of commands) assert.ok(text.includes(`sentinel ${name}`), name)
})
