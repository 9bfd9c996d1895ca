import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { isDue, putAside, tidy, type Found } from '../../../proxy/observe/put-aside.ts'

function folder (t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sentinel-aside-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

const settings = { maxSize: 10, maxAge: undefined, keep: 2, compress: true }
const found = (): Found => ({ ino: 0, sinceMs: 0 })
const noon = Date.UTC(2026, 0, 2, 12, 0, 0)

test('several files put aside within one second have names of their own, in order', async (t) => {
  const file = join(folder(t), 'a.log')
  const names: string[] = []
  for (let i = 0; i < 3; i++) {
    writeFileSync(file, `${i}`)
    names.push(await putAside(file, noon))
  }
  assert.deepEqual(names.map((name) => name.slice(file.length)), ['.20260102T120000Z', '.20260102T120000Z-1', '.20260102T120000Z-2'])
})

test('the oldest are removed, those that are quiet are compressed, and nothing else is touched', async (t) => {
  const dir = folder(t)
  const file = join(dir, 'a.log')
  const others = ['a.log', 'a.log.1', 'a.log.20260102T120000Z.bak', 'b.log.20250102T120000Z', 'a.log.2026', 'xa.log.20250102T120000Z']
  for (const name of [...others, 'a.log.20250101T000000Z.gz', 'a.log.20260101T000000Z', 'a.log.20260101T000000Z-1']) writeFileSync(join(dir, name), name)
  utimesSync(join(dir, 'a.log.20260101T000000Z'), 0, 0)
  await tidy(file, settings, Date.now())
  assert.deepEqual(new Set(readdirSync(dir)), new Set([...others, 'a.log.20260101T000000Z.gz', 'a.log.20260101T000000Z-1']))
  assert.equal(gunzipSync(readFileSync(join(dir, 'a.log.20260101T000000Z.gz'))).toString(), 'a.log.20260101T000000Z')
})

test('a file is due by its size or age; an empty one, a folder and one that is not there are not', async (t) => {
  const dir = folder(t)
  const file = join(dir, 'a.log')
  assert.equal(await isDue(file, settings, Date.now(), found()), false)
  writeFileSync(file, '')
  assert.equal(await isDue(file, { ...settings, maxAge: 1 }, Date.now() + 1e6, found()), false)
  writeFileSync(file, 'nine byte')
  assert.equal(await isDue(file, settings, Date.now(), found()), false)
  writeFileSync(file, 'ten bytes!')
  assert.equal(await isDue(file, settings, Date.now(), found()), true)
  const byAge = { ...settings, maxSize: undefined, maxAge: 60_000 }
  assert.equal(await isDue(file, byAge, Date.now(), found()), false)
  assert.equal(await isDue(file, byAge, Date.now() + 61_000, found()), true)
  assert.equal(await isDue(dir, { ...settings, maxAge: 1 }, Date.now() + 1e6, found()), false)
  assert.ok(existsSync(file))
})
