import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { openEvidence } from '../../proxy/evidence/evidence.ts'
import { verifyEvidence } from '../../proxy/evidence/verify.ts'
import { decided, decisionOf } from '../support/decision.ts'
import { fromDist } from '../support/paths.ts'

const quiet = { info () {}, warn () {}, error () {} }

interface Said {
  readonly written?: number
  readonly failing?: boolean
  readonly said?: string
  readonly code?: string
}

function fileIn (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'evidence-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'evidence.jsonl')
}

/** Starts a writer; `until` resolves with the first thing it says that fits. */
function writer (t: TestContext, file: string, command: readonly string[] = [process.execPath]) {
  const child: ChildProcess = spawn(command[0]!, [...command.slice(1), fromDist('test/support/evidence-writer.js'), file], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  const heard: Said[] = []
  const waiting: { fits: (said: Said) => boolean, resolve: (said: Said) => void }[] = []
  createInterface({ input: child.stdout! }).on('line', (line) => {
    const said: Said = JSON.parse(line)
    heard.push(said)
    for (const one of waiting) if (one.fits(said)) one.resolve(said)
  })
  const until = (fits: (said: Said) => boolean) => new Promise<Said>((resolve) => waiting.push({ fits, resolve }))
  return { child, heard, until }
}

function hasPrlimit (): boolean {
  return spawnSync('prlimit', ['--version']).status === 0
}

async function kill (child: ChildProcess): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

test('a writer killed with -9 again and again loses nothing it had written, and the chain stays whole', async (t) => {
  const file = fileIn(t)
  let written = 0
  for (let round = 0; round < 4; round++) {
    const { child, until } = writer(t, file)
    written += (await until((said) => (said.written ?? 0) > 200 * (round + 1)))?.written ?? 0
    await kill(child)
  }
  const evidence = await openEvidence({ file, log: quiet })
  evidence.record(decided('/after', decisionOf()))
  await evidence.close()
  const result = await verifyEvidence(file)
  assert.deepEqual(result.problems, [])
  assert.ok(result.records >= written + 3, `${result.records} records, ${written} were confirmed`)
  assert.ok(result.notes.filter(({ code }) => code === 'UNCLEAN_START').length === 4)
})

test('a second process does not write into the same file, and takes over when the first is dead', async (t) => {
  const file = fileIn(t)
  const { child, until } = writer(t, file)
  await until((said) => (said.written ?? 0) > 0)
  await assert.rejects(openEvidence({ file, log: quiet }), (error: Error) => {
    assert.match(error.message, new RegExp(`written by process ${child.pid}`))
    return 'code' in error && error.code === 'EVIDENCE_LOCKED'
  })
  await kill(child)
  const evidence = await openEvidence({ file, log: quiet })
  await assert.rejects(openEvidence({ file, log: quiet }), { code: 'EVIDENCE_LOCKED' })
  await evidence.close()
  assert.deepEqual((await verifyEvidence(file)).problems, [])
  assert.deepEqual(readdirSync(dirname(file)), ['evidence.jsonl'], 'no lock is left behind')
})

test('of many that come at once after a crash, one gets the file', async (t) => {
  const file = fileIn(t)
  const { child, until } = writer(t, file)
  await until((said) => (said.written ?? 0) > 0)
  await kill(child)
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => openEvidence({ file, log: quiet })))
  const open = results.flatMap((result) => result.status === 'fulfilled' ? [result.value] : [])
  assert.equal(open.length, 1)
  await open[0]!.close()
  assert.deepEqual((await verifyEvidence(file)).problems, [])
})

test('a lock of somebody who cannot be seen from here holds while it is fresh and is taken over when it is not', async (t) => {
  const file = fileIn(t)
  writeFileSync(`${file}.lock`, JSON.stringify({ id: 'x', pid: 1, started: '1', place: 'another machine' }))
  await assert.rejects(openEvidence({ file, log: quiet, lock: { waitMs: 50, staleMs: 60_000 } }), { code: 'EVIDENCE_LOCKED' })
  const evidence = await openEvidence({ file, log: quiet, lock: { waitMs: 5_000, staleMs: 300 } })
  await evidence.close()
})

test('a disk that is full is said once, the records wait, and nothing is lost or torn when there is room again', { skip: !hasPrlimit() && 'prlimit (util-linux) is not here' }, async (t) => {
  const file = fileIn(t)
  // A limit on the size of files, with its signal ignored, fails writes in the middle of a record as a full disk does.
  const { child, heard, until } = writer(t, file, ['sh', '-c', 'trap "" XFSZ; ulimit -S -f 16; exec "$@"', 'sh', process.execPath])
  await until((said) => said.failing === true)
  await until((said) => said.failing === true)
  const torn = await verifyEvidence(file)
  assert.deepEqual(torn.problems.map(({ code }) => code), ['TORN_END'])
  execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited'])
  await until((said) => said.said?.includes('written again') === true)
  await until((said) => said.failing === false)
  await kill(child)
  const result = await verifyEvidence(file)
  assert.deepEqual(result.problems.filter(({ code }) => code !== 'TORN_END'), [])
  assert.ok(result.head.seq > torn.head.seq)
  assert.equal(heard.filter(({ code }) => code === 'EVIDENCE_UNWRITABLE').length, 1)
})

test('a file that cannot be opened stops the start with its name and the reason', async (t) => {
  const file = fileIn(t)
  mkdirSync(file)
  await assert.rejects(openEvidence({ file, log: quiet }), (error: Error) => {
    assert.match(error.message, /evidence\.jsonl/)
    return 'code' in error && error.code === 'EVIDENCE_UNWRITABLE'
  })
  assert.equal(existsSync(`${file}.lock`), false)
  if (process.getuid?.() === 0) return
  chmodSync(dirname(file), 0o500)
  await assert.rejects(openEvidence({ file: `${file}2`, log: quiet }), { code: 'EVIDENCE_UNWRITABLE' })
})

test('whoever loses its lock stops writing and says so', async (t) => {
  const file = fileIn(t)
  const said: string[] = []
  const evidence = await openEvidence({ file, log: { ...quiet, error: (message: string) => void said.push(message) } })
  unlinkSync(`${file}.lock`)
  while (!evidence.stats().failing) await new Promise((resolve) => setTimeout(resolve, 20))
  const { records } = evidence.stats()
  evidence.record(decided('/', decisionOf()))
  await evidence.close()
  assert.deepEqual([evidence.stats().records, evidence.stats().dropped], [records, 1])
  assert.match(said.join(), /lock of its file was taken away/)
})
