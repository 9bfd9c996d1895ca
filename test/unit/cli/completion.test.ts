import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { Command } from '../../../proxy/cli/command.ts'
import { allCommands } from '../../../proxy/cli/commands.ts'
import { bashCompletion } from '../../../proxy/cli/completion/bash.ts'
import { fishCompletion } from '../../../proxy/cli/completion/fish.ts'
import { firstWords, shellCommands, valueKind } from '../../../proxy/cli/completion/words.ts'
import { zshCompletion } from '../../../proxy/cli/completion/zsh.ts'

const known = shellCommands(await allCommands())
const has = (shell: string): boolean => spawnSync(shell, ['-c', 'true']).error === undefined

/** Commands of every shape there can be. */
const strange = shellCommands([
  {
    name: 'sell', doc: "It's a 'deal': 100% [really]. And more.", arguments: '[FILE…]', run: async () => 0,
    options: { format: { type: 'string', short: 'f', value: 'json|text', doc: 'How.' }, 'out-dir': { type: 'string', value: 'DIR', doc: 'Where.' } },
  },
  { name: 'sell all', doc: 'Everything.', arguments: 'OLD NEW', options: {}, run: async () => 0 },
] satisfies Command[])

/** What bash offers for the last of these words. */
function inBash (script: string, words: readonly string[], cwd = tmpdir()): string[] {
  const line = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _sentinel; printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', `${script}\n${line}`, 'bash', ...words], { encoding: 'utf8', cwd })
  assert.deepEqual([status, stderr], [0, ''])
  return stdout.split('\n').filter(word => word !== '')
}

test('bash completes commands, options, words and files', { skip: !has('bash') }, t => {
  const cwd = mkdtempSync(join(tmpdir(), 'sentinel-completion-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'one file.kdl'), '')
  writeFileSync(join(cwd, 'other.kdl'), '')
  mkdirSync(join(cwd, 'folder'))
  const script = bashCompletion(known)
  const offered = (...words: string[]): string[] => inBash(script, ['sentinel', ...words], cwd)
  assert.deepEqual(offered(''), [...firstWords(known).map(({ name }) => name), '--help', '--version'])
  assert.deepEqual(offered('che'), ['check'])
  assert.deepEqual(offered('evidence', 'v'), ['verify'])
  assert.deepEqual(offered('help', 'ru'), ['run'])
  assert.deepEqual(offered('run', '--q'), ['--quiet'])
  assert.deepEqual(offered('completion', ''), ['bash', 'zsh', 'fish'])
  assert.deepEqual(offered('check', '-c', 'o').toSorted(), ['one file.kdl', 'other.kdl'])
  assert.deepEqual(offered('check', '--config', '=', 'oth'), ['other.kdl'])
  assert.deepEqual(offered('check', '--config', '=').toSorted(), ['folder', 'one file.kdl', 'other.kdl'])
  assert.deepEqual(offered('evidence', 'verify', 'one'), ['one file.kdl'])
  assert.deepEqual(offered('evidence', 'verify', '--expect-head', ''), [])
  // A value that is called like a command is none.
  assert.deepEqual(offered('run', '-c', 'check', '--qu'), ['--quiet'])
  for (const { name, options } of known) {
    const all = offered(...name.split(' '), '-')
    for (const { long } of options) assert.ok(all.includes(`--${long}`), `${name} --${long}`)
  }
})

test('bash completes a group that is a command itself, words of an option, folders, repeated files', { skip: !has('bash') }, t => {
  const cwd = mkdtempSync(join(tmpdir(), 'sentinel-completion-'))
  t.after(() => rmSync(cwd, { recursive: true }))
  writeFileSync(join(cwd, 'fa'), '')
  mkdirSync(join(cwd, 'fo'))
  const script = bashCompletion(strange)
  assert.deepEqual(inBash(script, ['sentinel', 'sell', '-f', ''], cwd), ['json', 'text'])
  assert.deepEqual(inBash(script, ['sentinel', 'sell', '--out-dir', 'f'], cwd), ['fo'])
  assert.deepEqual(inBash(script, ['sentinel', 'sell', 'fa', 'f'], cwd).toSorted(), ['fa', 'fo'])
  assert.deepEqual(inBash(script, ['sentinel', 'sell', 'all', 'fa'], cwd), ['fa'])
})

for (const [shell, make] of [['bash', bashCompletion], ['zsh', zshCompletion], ['fish', fishCompletion]] as const) {
  test(`${shell} understands its script`, { skip: !has(shell) }, () => {
    for (const table of [known, strange]) {
      const { status, stderr } = spawnSync(shell, ['-n'], { input: make(table), encoding: 'utf8' })
      assert.deepEqual([status, stderr], [0, ''])
    }
  })
}

test('zsh and fish are told of every command and every option', () => {
  const zsh = zshCompletion(known)
  const fish = fishCompletion(known)
  for (const { name, options } of known) {
    assert.ok(zsh.includes(`${name.split(' ').at(-1)})\n`), name)
    assert.ok(fish.includes(` -a '${name.split(' ').at(-1)}'`), name)
    for (const { long } of options) {
      assert.ok(zsh.includes(`--${long}`), `${name} --${long}`)
      assert.ok(fish.includes(`-n '__sentinel_in ${name}' ${options.find(option => option.long === long)?.short === undefined ? '' : '-'}`), name)
      assert.ok(fish.includes(`-l ${long} `), long)
    }
  }
})

test('quotes, brackets and colons of a sentence end nothing', () => {
  assert.ok(zshCompletion(strange).includes(`'sell:It'\\''s a '\\''deal'\\'': 100% [really].'`))
  assert.ok(fishCompletion(strange).includes("-d 'It\\'s a \\'deal\\': 100% [really].'"))
  assert.ok(zshCompletion(strange).includes("'*:\\[FILE…\\]:_files'"))
})

test('what a value is follows from its name', () => {
  assert.deepEqual(valueKind('FILE'), { is: 'file' })
  assert.deepEqual(valueKind('[FILE…]'), { is: 'file' })
  assert.deepEqual(valueKind('[FILE...]'), { is: 'file' })
  assert.deepEqual(valueKind('CERT-FILE'), { is: 'file' })
  assert.deepEqual(valueKind('OLD'), { is: 'file' })
  assert.deepEqual(valueKind('DIR'), { is: 'folder' })
  assert.deepEqual(valueKind('HASH'), { is: 'text' })
  assert.deepEqual(valueKind('bash|zsh'), { is: 'words', words: ['bash', 'zsh'] })
})
