// Routes that answer with files of a folder.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { rawClient } from '../support/raw-client.ts'
import { askHttp2 } from '../support/version-clients.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'
import { eventually } from '../support/eventually.ts'

/** Changed long ago: nothing could still change unseen. */
const longAgo = new Date('2024-02-01T10:00:00.250Z')

function write (root: string, name: string, content: string | Buffer, modified = longAgo): void {
  const path = join(root, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, content)
  utimesSync(path, modified, modified)
}

function siteFolder (t: TestContext, files: Readonly<Record<string, string | Buffer>>): string {
  const root = mkdtempSync(join(tmpdir(), 'sentinel-files-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  for (const [name, content] of Object.entries(files)) write(root, name, content)
  return root
}

function serving (t: TestContext, root: string, settings = ''): Promise<RunningSentinel> {
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" }; listener "two" { address "127.0.0.1:0"; protocol "h2" } }
routes { route "files" { matches { path-prefix "/" }; static-files { root "${root}"; ${settings} } } }
observability { metrics { enabled #false } }
`)
}

const text = 'A sentence that says the same again and again. '.repeat(200)
const large = Buffer.alloc(700_000, 'abcdefghijklmnopqrstuvwxyz0123456789')

test('the page with a site of files and an API in front of an application works as it is written', async (t) => {
  const root = siteFolder(t, { 'index.html': '<h1>hello</h1>', 'app.js': text })
  const api = await httpUpstream(t, (_, response) => response.end('api'))
  const sentinel = await startSentinel(t, `
listeners { listener "http" { address "127.0.0.1:0"; protocol "http" } }
routes {
  route "static" {
    priority "high"
    matches { path-regex "\\\\.(html|css|js|png|jpg|svg|woff2?)$" }
    service-type "static" {
      root "${root}"
      compression #true
      cache-control "public, max-age=86400"
    }
  }
  route "api" { matches { path-prefix "/api" }; upstream "backend" }
  route "spa-fallback" {
    priority "low"
    matches { path-prefix "/" }
    service-type "static" {
      root "${root}"
      fallback "/index.html"
    }
  }
}
upstreams { upstream "backend" { targets { target { address "127.0.0.1:${api.port}" } } } }
observability { metrics { enabled #false } }
`)
  const script = await sentinel.get('/app.js', { headers: { 'Accept-Encoding': 'br' } })
  assert.equal(script.headers['cache-control'], 'public, max-age=86400')
  assert.equal(script.headers['content-encoding'], 'br')
  assert.equal(script.headers['content-type'], 'text/javascript; charset=utf-8')
  assert.equal(brotliDecompressSync(script.bytes).toString(), text)
  assert.equal((await sentinel.get('/api/x')).text, 'api')
  for (const path of ['/', '/some/page', '/some/other?x']) assert.equal((await sentinel.get(path)).text, '<h1>hello</h1>', path)
  assert.equal((await sentinel.get('/missing.css')).status, 404)
  await eventually('the screen tells of the files', () => /static +files in /.test(sentinel.screen()))
})

test('a file comes with its type, length, validators and the age it may reach; HEAD says the same', async (t) => {
  const root = siteFolder(t, { 'a.txt': 'hello', 'b.json': '{}', 'c.svg': '<svg/>', 'd.unknown-kind': 'x', 'e.tar.gz': 'x', 'f.custom': 'x', 'empty.css': '', 'ü ?.txt': 'odd' })
  const sentinel = await serving(t, root, 'cache-control "no-cache"; mime-types { ".custom" "application/x-custom"; "tar.gz" "application/x-tarball" }')
  const { status, headers, text: body } = await sentinel.get('/a.txt')
  assert.deepEqual([status, body, headers['content-length'], headers['content-type'], headers['cache-control'], headers['accept-ranges']], [200, 'hello', '5', 'text/plain; charset=utf-8', 'no-cache', 'bytes'])
  assert.equal(headers['last-modified'], 'Thu, 01 Feb 2024 10:00:00 GMT')
  assert.match(String(headers['etag']), /^"[a-z0-9]+-5"$/)
  const head = await sentinel.get('/a.txt', { method: 'HEAD' })
  assert.deepEqual([head.status, head.text, head.headers['content-length'], head.headers['etag']], [200, '', '5', headers['etag']])
  const types = { 'b.json': 'application/json', 'c.svg': 'image/svg+xml', 'd.unknown-kind': 'application/octet-stream', 'e.tar.gz': 'application/x-tarball', 'f.custom': 'application/x-custom', 'empty.css': 'text/css; charset=utf-8' }
  for (const [name, type] of Object.entries(types)) assert.equal((await sentinel.get(`/${name}`)).headers['content-type'], type, name)
  assert.equal((await sentinel.get('/empty.css')).headers['content-length'], '0')
  assert.equal((await sentinel.get('/%C3%BC%20%3F.txt')).text, 'odd')
})

test('other methods are told which there are', async (t) => {
  const sentinel = await serving(t, siteFolder(t, { 'a.txt': 'hello' }))
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await sentinel.get('/a.txt', { method })
    assert.deepEqual([status, headers['allow']], [405, 'GET, HEAD'], method)
  }
  const record = await sentinel.accessed(({ status }) => status === 405)
  assert.equal(record.fault, 'METHOD_NOT_ALLOWED')
})

test('conditions are judged in the order of RFC 9110', async (t) => {
  const sentinel = await serving(t, siteFolder(t, { 'a.txt': 'hello', 'large.bin': large }))
  for (const path of ['/a.txt', '/large.bin']) {
    const { headers: { etag, 'last-modified': modified } } = await sentinel.get(path)
    const status = async (headers: Record<string, string>, method = 'GET'): Promise<number> => (await sentinel.get(path, { method, headers })).status
    assert.equal(await status({ 'If-None-Match': etag! }), 304)
    assert.equal(await status({ 'If-None-Match': etag! }, 'HEAD'), 304)
    assert.equal(await status({ 'If-None-Match': `"x", W/${etag}` }), 304)
    assert.equal(await status({ 'If-None-Match': '*' }), 304)
    assert.equal(await status({ 'If-None-Match': '"x"', 'If-Modified-Since': modified! }), 200, 'the tag counts, not the date')
    assert.equal(await status({ 'If-Modified-Since': modified! }), 304)
    assert.equal(await status({ 'If-Modified-Since': 'Thu Feb  1 10:00:00 2024' }), 304)
    assert.equal(await status({ 'If-Modified-Since': 'Thursday, 01-Feb-24 10:00:00 GMT' }), 304)
    assert.equal(await status({ 'If-Modified-Since': 'Thu, 01 Feb 2024 09:59:59 GMT' }), 200)
    assert.equal(await status({ 'If-Modified-Since': 'yesterday' }), 200)
    assert.equal(await status({ 'If-Match': '"x"' }), 412)
    assert.equal(await status({ 'If-Match': `W/${etag}` }), 412, 'a weak tag matches nothing here')
    assert.equal(await status({ 'If-Match': etag! }), 200)
    assert.equal(await status({ 'If-Unmodified-Since': 'Thu, 01 Feb 2024 09:59:59 GMT' }), 412)
    assert.equal(await status({ 'If-Unmodified-Since': modified! }), 200)
  }
  const { headers, bytes } = await sentinel.get('/a.txt', { headers: { 'If-None-Match': '*' } })
  assert.ok(headers['etag'] !== undefined && headers['cache-control'] !== undefined && headers['content-type'] === undefined)
  assert.equal(bytes.length, 0)
})

test('one range, several ranges, and ranges that are none', async (t) => {
  const sentinel = await serving(t, siteFolder(t, { 'a.txt': '0123456789', 'large.bin': large, 'empty.txt': '' }))
  const get = (path: string, range: string, more: Record<string, string> = {}) => sentinel.get(path, { headers: { Range: range, ...more } })
  for (const [path, size] of [['/a.txt', 10], ['/large.bin', large.length]] as const) {
    const whole = (await sentinel.get(path)).bytes
    const one = async (range: string, first: number, last: number): Promise<void> => {
      const { status, headers, bytes } = await get(path, range)
      assert.deepEqual([status, headers['content-range'], headers['content-length']], [206, `bytes ${first}-${last}/${size}`, String(last + 1 - first)], range)
      assert.ok(bytes.equals(whole.subarray(first, last + 1)), range)
    }
    await one('bytes=0-3', 0, 3)
    await one('bytes=4-', 4, size - 1)
    await one('bytes=-2', size - 2, size - 1)
    await one('bytes=2-99999999', 2, size - 1)
    await one('bytes=-99999999', 0, size - 1)
    const several = await get(path, 'bytes=0-1, 4-5, -2')
    const boundary = /boundary=(\w+)$/.exec(String(several.headers['content-type']))?.[1] ?? ''
    assert.equal(several.status, 206)
    assert.equal(Number(several.headers['content-length']), several.bytes.length)
    const parts = several.bytes.toString('latin1').split(`--${boundary}`)
    assert.deepEqual(parts.slice(1, -1).map((part) => [/content-range: (.*)/i.exec(part)?.[1], part.split('\r\n\r\n')[1]?.replace(/\r\n$/, '')]), [
      [`bytes 0-1/${size}`, whole.subarray(0, 2).toString()], [`bytes 4-5/${size}`, whole.subarray(4, 6).toString()], [`bytes ${size - 2}-${size - 1}/${size}`, whole.subarray(-2).toString()],
    ])
    assert.equal(parts.at(-1), '--\r\n')
    const outside = await get(path, `bytes=${size}-`)
    assert.deepEqual([outside.status, outside.headers['content-range']], [416, `bytes */${size}`])
    for (const ignored of ['bytes=5-2', 'lines=0-1', 'bytes=a-b', 'bytes=', 'bytes=0-5,3-7', `bytes=${Array.from({ length: 17 }, (_, i) => `${i}-${i}`).join(',')}`]) assert.equal((await get(path, ignored)).status, 200, ignored)
    const { headers: { etag, 'last-modified': modified } } = await sentinel.get(path)
    assert.equal((await get(path, 'bytes=0-1', { 'If-Range': etag! })).status, 206)
    assert.equal((await get(path, 'bytes=0-1', { 'If-Range': modified! })).status, 206)
    assert.equal((await get(path, 'bytes=0-1', { 'If-Range': '"other"' })).status, 200)
    assert.equal((await sentinel.get(path, { method: 'HEAD', headers: { Range: 'bytes=0-1' } })).status, 200)
  }
  assert.equal((await get('/empty.txt', 'bytes=0-')).status, 416)
})

test('a folder answers with its index, a path without its slash is sent there', async (t) => {
  const root = siteFolder(t, { 'docs/home.html': 'home', 'old/index.htm': 'old', 'bare/x.txt': 'x' })
  const sentinel = await serving(t, root, 'index "home.html" "index.htm"')
  assert.equal((await sentinel.get('/docs/')).text, 'home')
  assert.equal((await sentinel.get('/old/')).text, 'old')
  const { status, headers } = await sentinel.get('/docs?a=b')
  assert.deepEqual([status, headers['location']], [301, './docs/?a=b'])
  assert.equal((await sentinel.get('/bare/')).status, 403)
  assert.equal((await sentinel.get('/bare/x.txt/')).status, 404)
  assert.equal((await sentinel.get('/nowhere')).status, 404)
})

test('a folder without an index shows what it holds where the route says so', async (t) => {
  const root = siteFolder(t, { 'files/b.txt': 'bb', 'files/sub/c.txt': 'c', 'files/.secret': 's' })
  const sentinel = await serving(t, root, 'directory-listing #true')
  const { status, headers, text: page } = await sentinel.get('/files/')
  assert.equal(status, 200)
  assert.equal(headers['content-type'], 'text/html; charset=utf-8')
  assert.match(page, /href="\.\/sub\/">sub\/<[\s\S]*href="\.\/b\.txt">b\.txt<\/a><td>2</)
  assert.doesNotMatch(page, /secret/)
})

test('a file that lies there packed is sent as it lies, unless it is older than the file', async (t) => {
  const root = siteFolder(t, { 'app.js': text, 'app.js.br': brotliCompressSync(`${text}`), 'app.js.gz': gzipSync(text), 'stale.js': text, 'lone.wasm': text, 'lone.wasm.zst': 'not really' })
  write(root, 'stale.js.br', brotliCompressSync('old'), new Date('2023-01-01'))
  const sentinel = await serving(t, root)
  const get = (path: string, accept: string, more: Record<string, string> = {}) => sentinel.get(path, { headers: { 'Accept-Encoding': accept, ...more } })
  const br = await get('/app.js', 'gzip, br')
  assert.deepEqual([br.headers['content-encoding'], br.headers['vary'], br.headers['content-type']], ['br', 'Accept-Encoding', 'text/javascript; charset=utf-8'])
  assert.equal(brotliDecompressSync(br.bytes).toString(), text)
  const packed = await get('/app.js', 'gzip')
  assert.equal(gunzipSync(packed.bytes).toString(), text)
  assert.notEqual(packed.headers['etag'], br.headers['etag'])
  const part = await get('/app.js', 'br', { Range: 'bytes=0-9', 'If-Range': String(br.headers['etag']) })
  assert.deepEqual([part.status, part.headers['content-encoding']], [206, 'br'])
  assert.ok(part.bytes.equals(br.bytes.subarray(0, 10)))
  assert.equal((await get('/app.js', 'br', { 'If-None-Match': String(br.headers['etag']) })).status, 304)
  assert.equal(brotliDecompressSync((await get('/stale.js', 'br')).bytes).toString(), text)
  assert.equal((await get('/lone.wasm', 'zstd')).text, 'not really')
  assert.equal((await get('/lone.wasm', 'br')).headers['content-encoding'], undefined)
  assert.equal((await sentinel.get('/app.js')).headers['vary'], 'Accept-Encoding')
})

test('texts are packed for those who take it: small ones once, large ones as they flow', async (t) => {
  const root = siteFolder(t, { 'a.txt': text, 'tiny.txt': 'x'.repeat(1023), 'large.txt': text.repeat(60), 'image.png': text })
  const sentinel = await serving(t, root, 'compression-level 4')
  const get = (path: string, accept: string, more: Record<string, string> = {}) => sentinel.get(path, { headers: { 'Accept-Encoding': accept, ...more } })
  for (let i = 0; i < 2; i++) {
    const { headers, bytes } = await get('/a.txt', 'br')
    assert.equal(headers['content-encoding'], 'br')
    assert.match(String(headers['etag']), /^W\//)
    assert.equal(headers['content-length'], String(bytes.length))
    assert.equal(brotliDecompressSync(bytes).toString(), text)
    assert.equal((await get('/a.txt', 'br', { 'If-None-Match': String(headers['etag']) })).status, 304)
  }
  assert.equal(gunzipSync((await get('/large.txt', 'gzip')).bytes).toString(), text.repeat(60))
  assert.equal((await get('/tiny.txt', 'br')).headers['content-encoding'], undefined)
  assert.equal((await get('/image.png', 'br')).headers['content-encoding'], undefined)
  const part = await get('/a.txt', 'br', { Range: 'bytes=0-9' })
  assert.deepEqual([part.status, part.headers['content-encoding'], part.text], [206, undefined, text.slice(0, 10)])
  const off = await serving(t, root, 'compress #false')
  assert.equal((await off.get('/a.txt', { headers: { 'Accept-Encoding': 'br' } })).headers['content-encoding'], undefined)
})

test('what changes in the folder is served soon after, also when size and time of change stay', async (t) => {
  const root = siteFolder(t, { 'a.txt': 'first', 'v1/page.txt': 'one', 'v2/page.txt': 'two' })
  symlinkSync('v1', join(root, 'current'))
  const sentinel = await serving(t, root)
  const body = async (path: string): Promise<string> => (await sentinel.get(path)).text
  assert.equal(await body('/a.txt'), 'first')
  write(root, 'new.tmp', 'other')
  renameSync(join(root, 'new.tmp'), join(root, 'a.txt'))
  await eventually('the changed file', async () => await body('/a.txt') === 'other')
  rmSync(join(root, 'a.txt'))
  await eventually('the file is gone', async () => (await sentinel.get('/a.txt')).status === 404)
  const deployed = await serving(t, join(root, 'current'))
  assert.equal((await deployed.get('/page.txt')).text, 'one')
  symlinkSync('v2', join(root, 'next'))
  renameSync(join(root, 'next'), join(root, 'current'))
  await eventually('the other folder', async () => (await deployed.get('/page.txt')).text === 'two')
})

test('a large file whole, over HTTP/1.1 and HTTP/2, and no descriptor stays open behind clients that leave', async (t) => {
  const root = siteFolder(t, { 'large.bin': Buffer.concat([large, large, large, large, large, large, large, large]) })
  const sentinel = await serving(t, root)
  const descriptors = async (): Promise<number> => (await readdir(`/proc/${sentinel.pid}/fd`)).length
  assert.equal((await sentinel.get('/large.bin')).bytes.length, large.length * 8)
  const before = await descriptors()
  await sentinel.get('/large.bin', { method: 'HEAD' })
  for (let i = 0; i < 10; i++) {
    const client = await rawClient(t, sentinel.port(), 'GET /large.bin HTTP/1.1\r\nHost: a\r\n\r\n')
    await client.until('200 OK')
    client.socket.destroy()
  }
  await eventually('the files are closed', async () => await descriptors() <= before)
  const { bytes } = await sentinel.get('/large.bin')
  assert.ok(bytes.subarray(large.length * 7).equals(large))
  const over2 = await askHttp2(sentinel.port('two'), { path: '/large.bin' })
  assert.ok(Buffer.from(over2.body, 'latin1').equals(bytes))
  assert.ok(over2.fields.includes(`content-length: ${bytes.length}`), over2.fields.join(' '))
  assert.equal((await askHttp2(sentinel.port('two'), { path: '/large.bin', method: 'HEAD' })).body, '')
  assert.equal((await askHttp2(sentinel.port('two'), { path: '/large.bin', headers: { range: 'bytes=-5' } })).body, bytes.subarray(-5).toString())
  await eventually('the files are closed', async () => await descriptors() <= before)
})

test('a file that becomes shorter while it is sent ends in a cut, not in half an answer that looks whole', async (t) => {
  const root = siteFolder(t, { 'large.bin': Buffer.alloc(40_000_000) })
  const sentinel = await serving(t, root)
  const client = await rawClient(t, sentinel.port(), 'GET /large.bin HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await client.until('200 OK')
  client.socket.pause()
  truncateSync(join(root, 'large.bin'), 1_000)
  client.socket.resume()
  const { fault, status } = await sentinel.accessed(({ path }) => path === '/large.bin')
  assert.deepEqual([status, fault], [200, 'FILE_CHANGED'])
  assert.ok((await client.ended()).length < 40_000_000)
})

test('filters of the route see the answers: a prefix is taken off, fields are set, on refusals, too', async (t) => {
  const root = siteFolder(t, { 'sub/index.html': 'here' })
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "files" { matches { path-prefix "/app" }; strip-prefix "/app"; static-files { root "${root}" }; policies { response-headers { set { X-Frame-Options "DENY" } } } } }
observability { metrics { enabled #false } }
`)
  assert.equal((await sentinel.get('/app/sub/')).text, 'here')
  const missing = await sentinel.get('/app/nothing')
  assert.deepEqual([missing.status, missing.headers['x-frame-options']], [404, 'DENY'])
  assert.equal((await sentinel.get('/app/sub')).headers['location'], './sub/')
})
