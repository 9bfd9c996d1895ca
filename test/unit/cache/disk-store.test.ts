// Answers in files: what is found by whom, and what is left.
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { DiskStore, type DiskSettings } from '../../../proxy/cache/disk-store.ts'
import type { Stored } from '../../../proxy/cache/stored.ts'
import { gather } from '../../../proxy/pipeline/body.ts'

function folderFor (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-disk-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function storeIn (t: TestContext, folder: string, more: Partial<DiskSettings> = {}): DiskStore {
  const store = new DiskStore({ folder, shards: 4, maxBytes: 1e6, isShared: true, trouble: (what, error) => { throw new Error(what, { cause: error }) }, ...more })
  t.after(() => store.close())
  return store
}

const answer = (base: string, more: Partial<Stored> = {}): Stored => ({
  base, address: { host: 'a.test', path: `/${base}`, query: '' }, selection: [], tags: [], status: 200, fields: ['A', 'b'], etag: undefined, lastModified: undefined, length: 4,
  freshness: { arrivedMs: 1, ageMs: 0, freshMs: Infinity, noCache: false, staleWhileRevalidateMs: 0, staleIfErrorMs: 0, neverStale: false }, ...more,
})

const body = Buffer.from('body')
const nothing = (): string => ''
const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(folder, name)).isFile())

test('what one process has put there another finds at once, in its own variant', async (t) => {
  const folder = folderFor(t)
  const [one, other] = [storeIn(t, folder), storeIn(t, folder)]
  await one.put(answer('x', { selection: [['accept', 'a']] }), body)
  await one.put(answer('x', { selection: [['accept', 'b']], fields: ['A', 'c'] }), body)
  const found = await other.find('x', () => 'a')
  assert.deepEqual([found?.stored.fields, Buffer.concat([...(await gather(found!.open(1, 3), 9)).chunks]).toString()], [['A', 'b'], 'od'])
  assert.deepEqual((await other.find('x', () => 'b'))?.stored.fields, ['A', 'c'])
  assert.equal(await other.find('x', () => 'c'), undefined)
  assert.equal(await other.find('y', nothing), undefined)
  await one.purge(() => true)
  assert.equal(await other.find('x', () => 'a'), undefined)
})

test('files are for nobody else, and nothing is left of what was written', async (t) => {
  const folder = folderFor(t)
  const store = storeIn(t, folder)
  await Promise.all(Array.from({ length: 20 }, (_, i) => store.put(answer(String(i)), body)))
  for (const name of filesIn(folder)) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
  assert.deepEqual([filesIn(folder).length, readdirSync(join(folder, 'making')).length, store.places.disk.entries], [20, 0, 20])
  assert.equal(await store.purge(({ path }) => path === '/3', '/3'), 1)
  assert.equal(store.places.disk.entries, 19)
})

test('what is put in place while somebody looks around is known afterwards', async (t) => {
  // The look begins with the store; the files come while it reads the folders.
  for (let round = 0; round < 20; round++) {
    const store = storeIn(t, folderFor(t), { shards: 16 })
    await Promise.all(Array.from({ length: 40 }, (_, i) => store.put(answer(String(i)), body)))
    assert.equal(await store.purge(() => true), 40)
  }
})

test('an answer that is purged while it is written is not there afterwards', async (t) => {
  const store = storeIn(t, folderFor(t))
  const writing = store.put(answer('x'), body)
  await store.purge(() => true)
  await writing
  assert.equal(await store.find('x', nothing), undefined)
})

test('a store that is opened anew knows what is there, makes room in it, and forgets folders that there are no more', async (t) => {
  const folder = folderFor(t)
  const first = storeIn(t, folder, { shards: 16 })
  for (let i = 0; i < 40; i++) await first.put(answer(String(i)), Buffer.alloc(1_000))
  await first.close()
  const second = storeIn(t, folder, { shards: 4, maxBytes: 4_000 })
  await second.purge(() => false) // Until it has looked around.
  assert.ok(second.places.disk.bytes <= 4_000 && second.places.disk.entries >= 1, JSON.stringify(second.places))
  assert.equal(filesIn(folder).length, second.places.disk.entries)
})
