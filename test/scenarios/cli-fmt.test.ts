import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { runHere } from '../support/command.ts'
import { fromDist } from '../support/paths.ts'
import { runSentinel } from '../support/sentinel.ts'

function folder (t: TestContext, files: Readonly<Record<string, string | Buffer>> = {}): string {
  const made = mkdtempSync(join(tmpdir(), 'sentinel-fmt-'))
  t.after(() => rmSync(made, { recursive: true }))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(made, name), text)
  return made
}

/** Runs `sentinel fmt -` with something on its standard input. */
function fmtInput (input: string): Promise<{ code: number | null, stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [fromDist('proxy', 'main.js'), 'fmt', '-'], { stdio: ['pipe', 'pipe', 'inherit'] })
    let stdout = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout }))
    child.stdin.end(input)
  })
}

const untidy = 'server {\n  worker-threads   1 // one\n}\nlisteners { listener "web" { bind "127.0.0.1:0" } }\n'
const tidy = 'system {\n    worker-threads 1 // one\n}\nlisteners { listener "web" { address "127.0.0.1:0" } }\n'

test('fmt prints the formatted text of a file, of sentinel.kdl or of the standard input, and changes nothing', async (t) => {
  const cwd = folder(t, { 'sentinel.kdl': untidy, 'other.kdl': untidy })
  for (const args of [['fmt'], ['fmt', 'other.kdl'], ['fmt', '-c', 'other.kdl']]) {
    assert.deepEqual(await runSentinel(args, { cwd }), { code: 0, stdout: tidy, stderr: '' })
  }
  assert.deepEqual(await fmtInput(untidy), { code: 0, stdout: tidy })
  assert.equal(readFileSync(join(cwd, 'sentinel.kdl'), 'utf8'), untidy)
})

test('--keep-spelling only lays out', async (t) => {
  const cwd = folder(t, { 'sentinel.kdl': untidy })
  assert.equal((await runHere(['fmt', '--keep-spelling'], { cwd })).stdout, tidy.replace('system', 'server').replace('address', 'bind'))
})

test('--write changes only what has to change, in one step, and keeps modes and links', async (t) => {
  const cwd = folder(t, { 'a.kdl': untidy, 'b.kdl': tidy })
  chmodSync(join(cwd, 'a.kdl'), 0o640)
  symlinkSync('a.kdl', join(cwd, 'link.kdl'))
  const before = statSync(join(cwd, 'b.kdl'))
  assert.deepEqual(await runHere(['fmt', '--write', 'link.kdl', 'b.kdl'], { cwd }), { code: 0, stdout: 'link.kdl\n', stderr: '' })
  assert.equal(readFileSync(join(cwd, 'a.kdl'), 'utf8'), tidy)
  assert.equal(statSync(join(cwd, 'a.kdl')).mode & 0o777, 0o640)
  assert.ok(lstatSync(join(cwd, 'link.kdl')).isSymbolicLink())
  const after = statSync(join(cwd, 'b.kdl'))
  assert.deepEqual([after.ino, after.mtimeMs], [before.ino, before.mtimeMs])
  assert.deepEqual(readdirSync(cwd).toSorted(), ['a.kdl', 'b.kdl', 'link.kdl'])
})

test('--check names what is not formatted and exits with 3', async (t) => {
  const cwd = folder(t, { 'a.kdl': untidy, 'b.kdl': tidy })
  assert.deepEqual(await runSentinel(['fmt', '--check', 'a.kdl', 'b.kdl'], { cwd }), { code: 3, stdout: 'a.kdl\n', stderr: '' })
  assert.deepEqual(await runHere(['fmt', '--check', 'b.kdl'], { cwd }), { code: 0, stdout: '', stderr: '' })
  assert.equal(readFileSync(join(cwd, 'a.kdl'), 'utf8'), untidy)
})

test('--diff shows what would change', async (t) => {
  const cwd = folder(t, { 'a.kdl': untidy })
  const { code, stdout } = await runHere(['fmt', '--diff', 'a.kdl'], { cwd })
  assert.equal(code, 0)
  assert.match(stdout, /^--- a\.kdl\n\+\+\+ a\.kdl \(formatted\)\n@@ -1,\d+ \+1,\d+ @@\n-server \{\n/)
  assert.match(stdout, /\n\+system \{\n/)
})

test('what is not KDL is told with its place and stays as it is; the other files are done', async (t) => {
  const broken = 'listeners {\n  listener "web" = 1\n'
  const cwd = folder(t, { 'a.kdl': broken, 'b.kdl': untidy })
  const { code, stdout, stderr } = await runHere(['fmt', '--write', 'a.kdl', 'b.kdl'], { cwd })
  assert.equal(code, 1)
  assert.equal(stdout, 'b.kdl\n')
  assert.match(stderr, /^a\.kdl:\d+:\d+: CONFIG_SYNTAX: /)
  assert.equal(readFileSync(join(cwd, 'a.kdl'), 'utf8'), broken)
  assert.equal(readFileSync(join(cwd, 'b.kdl'), 'utf8'), tidy)
})

test('what cannot be read, and options that contradict each other, exit with 2', async (t) => {
  const cwd = folder(t, { 'a.kdl': untidy, 'b.kdl': untidy, 'bytes.kdl': Buffer.from([0x61, 0xff, 0xfe]) })
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['nix.kdl'], /nix\.kdl cannot be read: there is no such file\n/],
    [['bytes.kdl'], /bytes\.kdl cannot be read: it is not UTF-8 text/],
    [['.'], /cannot be read: it is a folder\n/],
    [[], /there is no sentinel\.kdl in /],
    [['--write', '--check', 'a.kdl'], /give one of them/],
    [['--write', '-'], /standard input cannot be written back/],
    [['a.kdl', 'b.kdl'], /several files go with --write/],
    [['-c', 'a.kdl', 'b.kdl'], /not both/],
  ]
  for (const [args, why] of refused) {
    const { code, stdout, stderr } = await runHere(['fmt', ...args], { cwd })
    assert.equal(code, 2, args.join(' '))
    assert.equal(stdout, '')
    assert.match(stderr, why)
  }
  assert.equal(readFileSync(join(cwd, 'a.kdl'), 'utf8'), untidy)
})
