// Where answers are kept: how much, through reloads, restarts and crashes, for all workers; and how they are let go of.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ask } from '../../proxy/control/index.ts'
import { configuration, startCached } from '../support/cached.ts'
import { eventually } from '../support/eventually.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'

const hour = { 'Cache-Control': 'max-age=3600' }

const filesIn = (folder: string): string[] => readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name))

test('memory: those not asked for the longest make room, and no more is kept than was allowed', async (t) => {
  const { get, told, sentinel } = await startCached(t, { say: () => ({ headers: hour, body: 'x'.repeat(100_000) }), place: 'max-size "1MiB"' })
  for (let i = 0; i < 30; i++) {
    await get(`/${i}`)
    await get('/0')
  }
  assert.match(await told('/0'), /hit/)
  assert.match(await told('/29'), /hit/)
  assert.match(await told('/1'), /fwd=uri-miss/)
  const metrics = await sentinel.metrics()
  assert.ok(Number(/^sentinel_cache_size_bytes\{place="memory"\} (\d+)$/m.exec(metrics)![1]) <= 1024 * 1024)
  assert.ok(Number(/^sentinel_cache_evictions_total (\d+)$/m.exec(metrics)![1]) >= 18)
})

test('an answer that is asked for more than once is kept, where the operator wants that', async (t) => {
  const { get } = await startCached(t, { say: () => ({ headers: hour }), rules: 'min-uses 3' })
  assert.deepEqual([await get('/a'), await get('/a'), await get('/a'), await get('/a')], ['1', '2', '3', '3'])
})

test('errors are kept for a short time, so that a missing page is not asked for by everybody', async (t) => {
  const { get, upstream } = await startCached(t, { say: () => ({ status: 404 }), rules: 'negative-ttl "4s"' })
  assert.deepEqual([await get('/a'), await get('/a')], ['1', '1'])
  await eventually('a new answer', async () => await get('/a') === '2')
  assert.equal(upstream.requests.length, 2)
})

test('a reload keeps what is kept', async (t) => {
  const { get, sentinel, upstream } = await startCached(t, { say: () => ({ headers: hour }) })
  await get('/a')
  assert.equal((await sentinel.reload(configuration(upstream.port, { rules: 'default-ttl "9m"' }))).event, 'reloaded')
  assert.equal(await get('/a'), '1')
})

for (const backend of ['disk', 'hybrid']) {
  test(`${backend}: what is kept is there after a restart, also after a crash in the middle of work`, async (t) => {
    let count = 0
    const upstream = await startRecordingUpstream(t, (_, response) => {
      response.writeHead(200, hour).end(`${++count} ${'x'.repeat(200_000)}`)
    })
    const folder = (await startSentinel(t, configuration(upstream.port, {}))).folder // One that goes away after the test.
    const kdl = configuration(upstream.port, { place: `backend "${backend}"; disk-path "${folder}/kept"` })
    const first = await startSentinel(t, kdl)
    await first.get('/a', { headers: { Host: 'a.test' } })
    await eventually('it is kept', async () => /hit/.test(String((await first.get('/a', { headers: { Host: 'a.test' } })).headers['cache-status'])))
    const before = (await first.get('/a', { headers: { Host: 'a.test' } })).text
    // Much is being written when it dies.
    const busy = Array.from({ length: 40 }, (_, i) => first.get(`/busy/${i}`, { headers: { Host: 'a.test' } }).catch(() => {}))
    await Promise.race(busy)
    first.process.kill('SIGKILL')
    await Promise.all(busy)
    const second = await startSentinel(t, kdl)
    const after = await second.get('/a', { headers: { Host: 'a.test' } })
    assert.match(String(after.headers['cache-status']), /hit/)
    assert.equal(after.text === before, true)
    for (let i = 0; i < 40; i++) assert.match((await second.get(`/busy/${i}`, { headers: { Host: 'a.test' } })).text, /^\d+ x{200000}$/)
  })
}

test('disk: a file that is cut short, changed, or of somebody else is never given, and is fetched anew', async (t) => {
  let count = 0
  const upstream = await startRecordingUpstream(t, (_, response) => { response.writeHead(200, hour).end(`${++count} ${'x'.repeat(150_000)}`) })
  const sentinel = await startSentinel(t, configuration(upstream.port, { place: 'backend "disk"; disk-path "kept"; disk-shards 1' }))
  const folder = join(sentinel.folder, 'kept')
  const get = async () => (await sentinel.get('/a', { headers: { Host: 'a.test' } })).text.split(' ')[0]
  const damage: ReadonlyArray<(file: string) => void> = [
    (file) => truncateSync(file, 100_000),
    (file) => truncateSync(file, 10),
    (file) => truncateSync(file, 0),
    (file) => { const bytes = readFileSync(file); bytes[bytes.length - 5]! ^= 1; writeFileSync(file, bytes) },
    (file) => { const bytes = readFileSync(file); bytes[40]! ^= 1; writeFileSync(file, bytes) },
    (file) => writeFileSync(file, 'not ours at all, but long enough to look like something'),
  ]
  let expected = 0
  for (const hurt of damage) {
    assert.equal(await get(), String(++expected))
    await eventually('it is on disk', () => filesIn(join(folder, '000')).length === 1)
    const [file] = filesIn(join(folder, '000'))
    hurt(file!)
    // Another process would find it so; this one has read it through once already.
    const other = await startSentinel(t, configuration(upstream.port, { place: `backend "disk"; disk-path "${folder}"; disk-shards 1` }))
    assert.equal((await other.get('/a', { headers: { Host: 'a.test' } })).text.split(' ')[0], String(++expected))
    await other.stop()
    for (const left of filesIn(folder)) unlinkSync(left)
  }
})

test('disk: no more room is taken than was allowed', async (t) => {
  const { get, sentinel } = await startCached(t, { say: () => ({ headers: hour, body: 'x'.repeat(100_000) }), place: 'backend "disk"; disk-path "kept"; disk-max-size "1MiB"' })
  for (let i = 0; i < 30; i++) await get(`/${i}`)
  const folder = join(sentinel.folder, 'kept')
  const bytes = (): number => filesIn(folder).reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0)
  await eventually('there is room, and it is used', () => bytes() <= 1024 * 1024 && filesIn(folder).length >= 8)
})

test('a folder that cannot be made keeps the configuration from being taken over', async (t) => {
  const { sentinel, upstream, get } = await startCached(t, { say: () => ({ headers: hour }) })
  writeFileSync(join(sentinel.folder, 'file'), '')
  const record = await sentinel.reload(configuration(upstream.port, { place: `backend "disk"; disk-path "${sentinel.folder}/file/kept"` }))
  assert.equal(record.event, 'reload-failed')
  assert.equal(await get('/a'), '1')
  assert.equal(existsSync(join(sentinel.folder, 'file/kept')), false)
})

const shopped = {
  say: ({ url }: { readonly url: string }) => ({ headers: { ...hour, 'Surrogate-Key': url.startsWith('/shop/') ? 'shop all' : 'all', 'Cache-Tag': 'listed, also' } }),
}
const paths = ['/shop/a', '/shop/b?x=1', '/shop/b?x=2', '/shop/deep/c', '/blog/a', '/blog/b']

for (const [workers, backend] of [[1, 'memory'], [1, 'hybrid'], [2, 'memory'], [2, 'hybrid']] as const) {
  test(`kept answers are let go of by address, prefix, pattern, tag and host: ${workers} process(es), ${backend}`, async (t) => {
    const { sentinel, told } = await startCached(t, {
      ...shopped, place: `backend "${backend}"; disk-path "kept"`, more: `system { worker-threads ${workers}; control-socket "control" }`,
    })
    const gone = async (): Promise<string[]> => {
      const missed = new Set<string>()
      for (const path of paths) if (/uri-miss/.test(await told(path))) missed.add(path)
      return [...missed]
    }
    const purge = async (by: string, value: string, host?: string): Promise<string[]> => {
      // New connections come to any worker: until each has all of them. What is on disk is every worker's.
      const inMemory = async (): Promise<number> => Number(/^sentinel_cache_entries\{place="memory"\} (\d+)$/m.exec(await sentinel.metrics())?.[1])
      for (let run = 0; run < 6; run++) for (const path of paths) await told(path)
      if (backend === 'memory') {
        await eventually('each has all of them', async () => {
          for (const path of paths) await told(path)
          return await inMemory() === paths.length * workers
        })
      }
      const { status } = await ask([join(sentinel.folder, 'control')], { method: 'POST', path: '/cache/purge', body: { by, value, host } })
      assert.equal(status, 200)
      return gone()
    }
    assert.deepEqual(await purge('url', '/shop/a'), ['/shop/a'])
    assert.deepEqual(await purge('url', '/shop/b'), ['/shop/b?x=1', '/shop/b?x=2'])
    assert.deepEqual(await purge('url', '/shop/b?x=1'), ['/shop/b?x=1'])
    assert.deepEqual(await purge('prefix', '/shop/'), paths.slice(0, 4))
    assert.deepEqual(await purge('glob', '/*/a'), ['/shop/a', '/blog/a'])
    assert.deepEqual(await purge('glob', '/shop/**'), paths.slice(0, 4))
    assert.deepEqual(await purge('tag', 'shop'), paths.slice(0, 4))
    assert.deepEqual(await purge('tag', 'listed'), paths)
    assert.deepEqual(await purge('all', ''), paths)
    assert.deepEqual(await purge('all', '', 'nobody.test'), [])
  })
}

test('sentinel cache purge and sentinel cache stats', async (t) => {
  const { sentinel, told } = await startCached(t, shopped)
  const run = (...args: readonly string[]) => runSentinel(['cache', ...args, '-c', sentinel.file])
  for (const path of [...paths, ...paths]) await told(path)
  assert.equal((await run('purge', '--prefix', '/shop/')).stdout, '4 kept answers are gone\n')
  assert.equal((await run('purge', '/blog/a', '--host', `127.0.0.1:${sentinel.port()}`)).stdout, '1 kept answer is gone\n')
  const facts: unknown = JSON.parse((await run('stats', '--json')).stdout)
  assert.deepEqual(facts, { hits: 6, misses: 6, stores: 6, evictions: 0, memory: { hits: 6, entries: 1, bytes: (facts as { memory: { bytes: number } }).memory.bytes }, disk: { hits: 0, entries: 0, bytes: 0 } })
  assert.match((await run('stats')).stdout, /^given +6 of 12 \(50 %\)$/m)
  for (const wrong of [['purge', 'shop'], ['purge'], ['purge', '--all', '/'], ['purge', '--tag', '--glob', '/a']]) assert.equal((await run(...wrong)).code, 2, wrong.join(' '))
})

test('two workers: what one changes is out of date in the other as well', async (t) => {
  let value = 1
  const { sentinel, get } = await startCached(t, {
    say: ({ method }) => method === 'POST' ? { body: String(++value) } : { headers: hour, body: String(value) }, more: 'system { worker-threads 2 }',
  })
  for (let round = 0; round < 10; round++) {
    for (let i = 0; i < 6; i++) assert.equal(await get('/a'), String(value))
    await sentinel.request('/a', { method: 'POST' })
    for (let i = 0; i < 6; i++) assert.equal(await get('/a'), String(value))
  }
})
