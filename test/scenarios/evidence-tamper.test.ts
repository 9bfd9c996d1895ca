import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { seal } from '../../proxy/evidence/chain.ts'
import { openEvidence } from '../../proxy/evidence/evidence.ts'
import { printVerification } from '../../proxy/evidence/print.ts'
import { verifyEvidence } from '../../proxy/evidence/verify.ts'
import { auditOf, decided, decisionOf } from '../support/decision.ts'

const quiet = { info () {}, warn () {}, error () {} }

/** A file with an open record, ten receipts and a close record. */
async function written (t: TestContext): Promise<{ file: string, lines: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'evidence-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'sub', 'evidence.jsonl')
  const evidence = await openEvidence({ file, log: quiet })
  for (let i = 0; i < 10; i++) evidence.record(decided(`/r/${i}`, decisionOf()))
  await evidence.close()
  return { file, lines: readFileSync(file, 'utf8').split('\n').slice(0, -1) }
}

async function codes (file: string, expectHead?: string): Promise<string[]> {
  const result = await verifyEvidence(file, expectHead === undefined ? {} : { expectHead })
  return result.problems.map(({ code, line }) => `${line} ${code}`)
}

test('what was written verifies, names its head, and only its owner may read it', async (t) => {
  const { file, lines } = await written(t)
  const result = await verifyEvidence(file)
  assert.deepEqual([result.records, result.problemCount, result.notes.length, result.head.seq], [12, 0, 0, 12])
  assert.equal(JSON.parse(lines.at(-1)!).hash, result.head.hash)
  assert.deepEqual(await codes(file, result.head.hash.toUpperCase()), [])
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.match(printVerification('e.jsonl', result), /^e\.jsonl: the chain is whole: 12 records\nhead: record 12, [0-9a-f]{64}\n$/)
})

test('the chain goes on when the file is opened again', async (t) => {
  const { file } = await written(t)
  const noted = (await verifyEvidence(file)).head.hash
  const again = await openEvidence({ file, log: quiet })
  again.record(decided('/later', decisionOf()))
  await again.close()
  const result = await verifyEvidence(file, { expectHead: noted })
  assert.deepEqual([result.records, result.problemCount], [15, 0])
  assert.deepEqual(result.notes.map(({ code }) => code), ['HEAD_PASSED'])
})

test('any single changed byte is found', async (t) => {
  const { file } = await written(t)
  const whole = readFileSync(file)
  const head = (await verifyEvidence(file)).head.hash
  for (let at = 0; at < whole.length; at += 61) {
    for (const flip of [0x01, 0x20, 0x80]) {
      const changed = Buffer.from(whole)
      changed[at]! ^= flip
      writeFileSync(file, changed)
      assert.notDeepEqual(await codes(file, head), [], `byte ${at} ^ ${flip}`)
    }
  }
})

test('a broken byte does not pass for the sign that stands for broken bytes', async (t) => {
  const { file } = await written(t)
  const evidence = await openEvidence({ file, log: quiet })
  evidence.record(decided('/', decisionOf({ audit: auditOf({ reason: '\ufffd' }) })))
  await evidence.close()
  assert.deepEqual(await codes(file), [])
  const changed = readFileSync(file).toString('latin1').replace('\u00ef\u00bf\u00bd', '\u00ff')
  writeFileSync(file, changed, 'latin1')
  assert.deepEqual(await codes(file), ['14 NOT_A_RECORD', '15 RECORD_MISSING'])
})

const tampering: Record<string, { change: (lines: string[]) => string[], found: string[] }> = {
  'a removed record': { change: (l) => l.toSpliced(4, 1), found: ['5 RECORD_MISSING'] },
  'three removed records': { change: (l) => l.toSpliced(4, 3), found: ['5 RECORD_MISSING'] },
  'a removed beginning': { change: (l) => l.slice(1), found: ['1 RECORD_MISSING'] },
  'a repeated record': { change: (l) => l.toSpliced(4, 0, l[3]!), found: ['5 RECORD_REPEATED'] },
  'two records in the wrong order': { change: (l) => l.toSpliced(4, 2, l[5]!, l[4]!), found: ['5 RECORD_MISSING', '6 OUT_OF_ORDER', '7 RECORD_MISSING'] },
  'a changed value': { change: (l) => l.with(4, l[4]!.replace('"block"', '"allow"')), found: ['5 HASH_MISMATCH'] },
  'white space': { change: (l) => l.with(4, ` ${l[4]!}`), found: ['5 NOT_CANONICAL'] },
  'a second member of the same name': { change: (l) => l.with(4, l[4]!.replace('{', '{"action":"x",')), found: ['5 NOT_CANONICAL'] },
  'a line that is no JSON': { change: (l) => l.toSpliced(4, 0, 'not json'), found: ['5 NOT_A_RECORD'] },
  'an empty line': { change: (l) => l.toSpliced(4, 0, ''), found: ['5 NOT_A_RECORD'] },
  'JSON that is no record': { change: (l) => l.toSpliced(4, 0, '{"a":1}', '[]', 'null'), found: ['5 NOT_A_RECORD'] },
  'deep nesting': { change: (l) => l.toSpliced(4, 0, `${'['.repeat(1e5)}${']'.repeat(1e5)}`), found: ['5 NOT_A_RECORD'] },
  'a line without end': { change: (l) => l.toSpliced(4, 0, 'x'.repeat(5_000_000)), found: ['5 NOT_A_RECORD'] },
  'an emptied file': { change: () => [], found: ['1 EMPTY'] },
}

for (const [what, { change, found }] of Object.entries(tampering)) {
  test(`${what} is found, at its line, once`, async (t) => {
    const { file, lines } = await written(t)
    writeFileSync(file, change(lines).map((line) => `${line}\n`).join(''))
    assert.deepEqual(await codes(file), found)
  })
}

test('a record changed together with its own hash is found at the record behind it', async (t) => {
  const { file, lines } = await written(t)
  const { seq, prev, hash: _, v: _v, ...content } = JSON.parse(lines[4]!)
  const forged = seal({ ...content, verdict: 'allow' }, { seq: seq - 1, hash: prev })
  writeFileSync(file, lines.with(4, forged.line.trimEnd()).map((line) => `${line}\n`).join(''))
  assert.deepEqual(await codes(file), ['6 CHAIN_BROKEN'])
})

test('a cut-off end is found against a head noted before', async (t) => {
  const { file, lines } = await written(t)
  const noted = JSON.parse(lines.at(-1)!).hash
  writeFileSync(file, lines.slice(0, 8).map((line) => `${line}\n`).join(''))
  assert.deepEqual(await codes(file), [], 'a chain cannot show by itself that its end is missing')
  assert.deepEqual(await codes(file, noted), ['8 HEAD_MISSING'])
})

test('a torn end is found, and after the next start it is accounted for and not rewritten', async (t) => {
  const { file } = await written(t)
  truncateSync(file, statSync(file).size - 40)
  const torn = readFileSync(file)
  assert.deepEqual(await codes(file), ['12 TORN_END'])
  const again = await openEvidence({ file, log: quiet })
  await again.close()
  const result = await verifyEvidence(file)
  assert.deepEqual(result.problems, [])
  assert.deepEqual(result.notes.map(({ code }) => code), ['RECOVERED', 'UNCLEAN_START'])
  assert.deepEqual(readFileSync(file).subarray(0, torn.length), torn)
})

test('a crash while telling of a crash is accounted for as well', async (t) => {
  const { file } = await written(t)
  for (const cut of [40, 200, 5]) {
    truncateSync(file, statSync(file).size - cut)
    appendFileSync(file, cut === 5 ? '\n\n{"kind":"recov' : '\n{"kind":"recov')
    await (await openEvidence({ file, log: quiet })).close()
    assert.deepEqual(await codes(file), [])
  }
})

test('a torn piece that was changed after its recovery is found', async (t) => {
  const { file } = await written(t)
  truncateSync(file, statSync(file).size - 40)
  const at = statSync(file).size - 10
  await (await openEvidence({ file, log: quiet })).close()
  const changed = readFileSync(file)
  changed[at]! ^= 1
  writeFileSync(file, changed)
  assert.deepEqual(await codes(file), ['12 NOT_A_RECORD'])
})

test('nothing is chained to a last record that was tampered with', async (t) => {
  const { file, lines } = await written(t)
  writeFileSync(file, lines.map((line) => `${line}\n`).join('').replace(/"kind":"close"/, '"kind":"klose"'))
  const before = readFileSync(file)
  await assert.rejects(openEvidence({ file, log: quiet }), { code: 'EVIDENCE_BROKEN' })
  assert.deepEqual(readFileSync(file), before)
  writeFileSync(file, before.toString().replace('klose', 'close'))
  await (await openEvidence({ file, log: quiet })).close()
})

test('what does not fit into the queue is counted, and the chain says so where it is missing', async (t) => {
  const { file } = await written(t)
  const evidence = await openEvidence({ file, log: quiet, maxQueue: 20 })
  for (let i = 0; i < 100; i++) evidence.record(decided('/', decisionOf()))
  while (evidence.stats().queued > 0) await new Promise((resolve) => setImmediate(resolve))
  evidence.record(decided('/', decisionOf()))
  const { dropped, queued } = evidence.stats()
  await evidence.close()
  const result = await verifyEvidence(file)
  assert.ok(dropped > 70 && queued <= 21)
  assert.equal(result.dropped, dropped)
  assert.deepEqual(result.problems, [])
  assert.deepEqual(result.notes.map(({ code }) => code), ['GAP'])
  assert.equal(result.records, 12 + 3 + 101 - dropped, 'open, gap and close besides the receipts')
})
