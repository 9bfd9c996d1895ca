import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { atATime } from '../../support/at-a-time.ts'
import { runFile, type FileRun } from '../../support/runner/run-file.ts'

const waiting = atATime(3)

/** Runs a test file with this text and looks at what the runner makes of it. */
async function run (t: TestContext, body: string, timeoutMs = 120_000): Promise<FileRun> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-runner-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'planted.test.mjs')
  writeFileSync(file, `import test, { describe, it } from 'node:test'\n${body}\n`)
  return await runFile(file, { timeoutMs, signal: new AbortController().signal, lingerMs: 3_000 })
}

function isAlive (pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

test('leaves are counted, and a parent that only holds them is not', async (t) => {
  const result = await run(t, `
    test('one', () => {})
    test('parent', async (t) => { await t.test('two', () => {}); await t.test('three', () => {}) })
    describe('suite', () => { it('four', () => {}); it('five', { skip: 'no moon' }, () => {}) })
  `)
  assert.equal(result.passed, 4)
  assert.deepEqual(result.failures, [])
  assert.deepEqual(result.problems, [])
  assert.deepEqual(result.skips.map(({ path, reason }) => [path.join(' › '), reason]), [['suite › five', 'no moon']])
})

test('a failing leaf is one failure with its full name and its error', async (t) => {
  const result = await run(t, "describe('suite', () => { it('breaks', () => { throw new Error('planted') }) })")
  assert.deepEqual(result.failures.map(({ path }) => path), [['suite', 'breaks']])
  assert.match(result.failures[0]?.error ?? '', /planted/)
  assert.deepEqual(result.problems, [])
})

test('a parent that fails for a reason of its own is a failure though its children passed', async (t) => {
  const result = await run(t, "test('parent', async (t) => { await t.test('child', () => {}); throw new Error('own') })")
  assert.equal(result.passed, 1)
  assert.deepEqual(result.failures.map(({ path }) => path), [['parent']])
})

test('a file without a test has failed', async (t) => {
  assert.deepEqual((await run(t, '')).problems, ['ran no test'])
})

test('a file that cannot be loaded has failed and shows why', async (t) => {
  const result = await run(t, "await import('./gone.mjs')")
  assert.equal(result.problems.length, 1)
  assert.match(result.output, /ERR_MODULE_NOT_FOUND/)
})

test('a file that dies in the middle names the test it died in', async (t) => {
  const result = await run(t, "test('fine', () => {})\ntest('dies', () => new Promise(() => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 100)))")
  assert.equal(result.passed, 1)
  assert.deepEqual(result.problems, ['ended with SIGKILL during: dies'])
})

waiting('a file that does not end in time is killed and names the test it was in', async (t) => {
  const result = await run(t, "test('waits', () => new Promise((resolve) => setTimeout(resolve, 600000)))", 6_000)
  assert.deepEqual(result.problems, ['did not end within 6 s during: waits'])
})

waiting('a file that leaves something open says what', async (t) => {
  const result = await run(t, "import net from 'node:net'\ntest('listens', () => { net.createServer().listen(0) })")
  assert.equal(result.passed, 1)
  assert.match(result.problems[0] ?? '', /does not end .*TCPServerWrap/)
})

waiting('a process left behind is a failure and is ended, though it has a session and an environment of its own', async (t) => {
  const result = await run(t, `
    import { spawn } from 'node:child_process'
    test('starts', () => { spawn('sleep', ['600'], { detached: true, stdio: 'ignore' }).unref() })
    test('starts another', () => { spawn('sleep', ['601'], { env: { PATH: process.env.PATH }, stdio: 'ignore' }).unref() })
  `)
  assert.equal(result.passed, 2)
  const pids = result.problems.map((problem) => Number(/^left a process behind \((\d+)\): sleep 60[01]$/.exec(problem)?.[1]))
  assert.equal(pids.length, 2, result.problems.join('\n'))
  for (const pid of pids) while (isAlive(pid)) await delay(10)
})

test('an error after its test had passed is not lost', async (t) => {
  const result = await run(t, `
    test('hurries', () => { setTimeout(() => { throw new Error('late') }, 20) })
    test('waits', () => new Promise((resolve) => setTimeout(resolve, 100)))
  `)
  assert.match(result.problems.join('\n'), /went on after a test: .*late/)
})
