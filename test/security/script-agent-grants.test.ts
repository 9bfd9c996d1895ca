// A script gets what its agent's configuration grants, and nothing beside.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startScript } from '../support/script-agent.ts'

function folder (t: TestContext): string {
  const made = mkdtempSync(join(tmpdir(), 'sentinel-granted-'))
  t.after(() => rmSync(made, { recursive: true, force: true }))
  return made
}

const reader = `
export async function onRequest (request) {
  try {
    return block(418, { body: await readFile(request.headers['x-file']) })
  } catch (error) {
    return block(403, { body: error.message })
  }
}`

test('granted files are read; others, through dots, links or folders, are not', async (t) => {
  const place = folder(t)
  mkdirSync(join(place, 'geo', 'deep'), { recursive: true })
  mkdirSync(join(place, 'geo-private'))
  const put = (name: string, text: string): void => writeFileSync(join(place, name), text)
  put('geo/a.txt', 'a')
  put('geo/deep/b.txt', 'b')
  put('geo-private/c.txt', 'secret')
  put('secret.txt', 'secret')
  put('one.txt', 'one')
  put('large.txt', 'x'.repeat(9 * 1024 * 1024))
  symlinkSync(join(place, 'secret.txt'), join(place, 'geo', 'link'))
  symlinkSync(join(place, 'geo-private'), join(place, 'geo', 'folder'))
  symlinkSync(join(place, 'geo', 'a.txt'), join(place, 'geo', 'inside'))
  const { sentinel } = await startScript(t, reader, { config: `timeout "10s"; allow { read ${[join(place, 'geo'), join(place, 'one.txt'), join(place, 'large.txt')].map((one) => JSON.stringify(one)).join(' ')} }` })
  const read = async (name: string) => {
    const { status, text } = await sentinel.get('/', { headers: { 'x-file': name.startsWith('/') ? name : join(place, name) } })
    return status === 418 ? text : `refused: ${text}`
  }
  for (const [name, text] of [['geo/a.txt', 'a'], ['geo/deep/b.txt', 'b'], ['one.txt', 'one'], ['geo/inside', 'a']] as const) assert.equal(await read(name), text)
  for (const name of ['geo-private/c.txt', 'secret.txt', '/etc/passwd', `${place}/geo/../secret.txt`, 'geo/link', 'geo/folder/c.txt', '/proc/self/environ', '/proc/self/fd/0', `${place}/geo/nothing/../../secret.txt`]) {
    assert.match(await read(name), /^refused: (reading .* is not granted|".*" cannot be read)/, name)
  }
  assert.match(await read('geo'), /^refused: .*not a file/)
  assert.match(await read('geo/none.txt'), /^refused: .*cannot be read \(ENOENT\)/)
  assert.match(await read('large.txt'), /^refused: .*larger than 8 MiB/)
})

test('a granted path is one of the folder of the configuration, and what is not granted is not even opened', { skip: process.platform === 'win32' }, async (t) => {
  const place = folder(t)
  const pipe = join(place, 'pipe')
  execFileSync('mkfifo', [pipe])
  const { sentinel } = await startScript(t, reader, { config: 'timeout "10s"; allow { read "data.json" }', files: { 'data.json': '{}' } })
  const writer = spawn('/bin/sh', ['-c', 'exec echo secret > "$0"', pipe], { stdio: 'ignore' })
  t.after(() => writer.kill())
  const read = async (name: string) => (await sentinel.get('/', { headers: { 'x-file': name } })).text
  assert.equal(await read('data.json'), '{}')
  assert.equal(await read(join(sentinel.folder, 'data.json')), '{}')
  assert.match(await read(pipe), /is not granted/)
  assert.match(await read('x'.repeat(5000)), /^reading "x{200}" is not granted/)
  await new Promise((go) => { setTimeout(go, 300) })
  assert.equal(writer.exitCode, null, 'it still waits for somebody who reads')
})

test('what is awaited at once is bounded, whoever has it', async (t) => {
  const place = folder(t)
  const file = join(place, 'large')
  writeFileSync(file, 'x'.repeat(7 * 1024 * 1024))
  const { sentinel } = await startScript(t, `
export async function onRequest () {
  const came = await Promise.all(Array.from({ length: 12 }, () => readFile(${JSON.stringify(file)}).then((text) => text.length, (error) => error.message)))
  return block(418, { body: came })
}`, { config: `timeout "20s"; memory "256MiB"; allow { read ${JSON.stringify(file)} }` })
  const came = JSON.parse((await sentinel.get('/')).text) as (string | number)[]
  assert.ok(came.filter((one) => one === 7 * 1024 * 1024).length >= 4, String(came))
  assert.ok(came.includes('what is awaited at once is longer than 32 MiB together'), String(came))
})

test('without a grant nothing is read, nobody is spoken to, and the environment is empty', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { sentinel } = await startScript(t, `
export async function onRequest () {
  const tries = [() => readFile('/etc/hostname'), () => fetch('http://127.0.0.1:${upstream.port}/')]
  const came = []
  for (const attempt of tries) came.push(await attempt().then(() => 'came through', (error) => error.message))
  return block(403, { body: { came, env } })
}`, { config: 'timeout "10s"', env: { SECRET: 'hidden' } })
  const { came, env } = JSON.parse((await sentinel.get('/')).text) as { came: string[], env: unknown }
  assert.match(came[0]!, /reading "\/etc\/hostname" is not granted/)
  assert.match(came[1]!, /speaking to 127\.0\.0\.1:\d+ is not granted/)
  assert.deepEqual(env, {})
  assert.equal(upstream.requests.length, 0)
})

test('what was refused, or failed, names the line where it was asked for', async (t) => {
  const { sentinel } = await startScript(t, `
const asks = {
  '/file': () => readFile('/etc/hostname'),
  '/host': async () => {
    const answer = await fetch('http://127.0.0.1:2/')
    return answer
  },
  '/method': () => fetch('http://127.0.0.1:1/', { body: 'of a GET' }),
  '/list': () => fetch('http://127.0.0.1:1/', { headers: [['a', 'b']] }),
  '/store': () => store.set('', 'x'),
}
export const onRequest = async (request) => { await asks[request.path]() }`, { config: 'timeout "10s"; allow { net "127.0.0.1:1" }' })
  const places: Readonly<Record<string, RegExp>> = {
    '/file': /custom\.js:3:18: Error: reading "\/etc\/hostname" is not granted/, '/host': /custom\.js:5:26: Error: speaking to 127\.0\.0\.1:2 is not granted/,
    '/method': /custom\.js:8:20: Error: fetch: Request with GET/, '/list': /custom\.js:9:18: Error: headers of fetch are an object/, '/store': /custom\.js:10:25: Error: a key/,
  }
  for (const [path, place] of Object.entries(places)) {
    assert.equal((await sentinel.get(path)).status, 503, path)
    assert.match(String((await sentinel.accessed((record) => record.path === path))['detail']), place, path)
  }
})

test('granted hosts are spoken to, on their port alone; a redirect is shown and not followed', async (t) => {
  const granted = await startRecordingUpstream(t, (request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end()
    else if (request.url === '/endless') response.write('x')
    else if (request.url === '/large') response.end('x'.repeat(9 * 1024 * 1024))
    else response.writeHead(201, { 'x-from': 'granted' }).end(`${request.method} ${String(request.headers['x-mine'])} ${request.body.toString()}`)
  })
  const other = await startRecordingUpstream(t)
  // What is granted in a longer spelling is the same address.
  const sixth = createServer((_, response) => response.writeHead(201).end())
  await new Promise<void>((ready) => { sixth.listen(0, '::1', ready) })
  t.after(() => sixth.close())
  const { port: sixthPort } = sixth.address() as AddressInfo
  const { sentinel } = await startScript(t, `
export async function onRequest (request) {
  try {
    const other = request.headers['x-host'] === undefined ? {} : { Host: request.headers['x-host'] }
    const answer = await fetch(request.headers['x-url'], { method: 'POST', headers: { 'x-mine': 'yes', ...other }, body: 'text' })
    if (request.path === '/fields') await fetch(request.headers['x-url'], { headers: Object.fromEntries(Array.from({ length: 129 }, (_, i) => ['x-' + i, '1'])) })
    return block(418, { body: { status: answer.status, ok: answer.ok, from: answer.headers['X-From'], text: await answer.text() } })
  } catch (error) {
    return block(403, { body: error.message })
  }
}`, { config: `timeout "5s"; workers 1; allow { net "127.0.0.1:${granted.port}" "127.0.0.1:1" "[0:0:0:0:0:0:0:1]:${sixthPort}" }` })
  const ask = async (url: string) => (await sentinel.get('/', { headers: { 'x-url': url } }))
  assert.deepEqual(JSON.parse((await ask(`http://127.0.0.1:${granted.port}/`)).text), { status: 201, ok: true, from: 'granted', text: 'POST yes text' })
  assert.equal((JSON.parse((await ask(`http://127.0.0.1:${granted.port}/away`)).text) as { status: number }).status, 302)
  assert.equal((JSON.parse((await ask(`http://[::1]:${sixthPort}/`)).text) as { status: number }).status, 201)
  const spellings = [`http://[::1]:${granted.port}/`, `http://[::ffff:127.0.0.1]:${granted.port}/`]
  const others = [...spellings, `http://127.0.0.1:${other.port}/`, `http://localhost:${granted.port}/`, `https://127.0.0.1/`, `http://127.0.0.1:${granted.port}@127.0.0.1:${other.port}/`, `http://user@127.0.0.1:${other.port}`]
  for (const url of others) assert.match((await ask(url)).text, /speaking to .* is not granted/, url)
  for (const url of ['file:///etc/passwd', 'data:text/plain,x', 'nothing', 'ftp://127.0.0.1/']) assert.match((await ask(url)).text, /fetch takes http and https addresses/, url)
  assert.match((await ask(`http://127.0.0.1:${granted.port}/large`)).text, /longer than 8 MiB/)
  assert.match((await ask('http://127.0.0.1:1/')).text, /127\.0\.0\.1:1 did not answer/)
  assert.equal((await ask(`http://127.0.0.1:${granted.port}/endless`)).status, 503, 'an answer without end costs the call')
  const elsewhere = await sentinel.get('/', { headers: { 'x-url': `http://127.0.0.1:${granted.port}/`, 'x-host': 'other.example' } })
  assert.match(elsewhere.text, /fetch takes no host field/)
  const many = await sentinel.get('/fields', { headers: { 'x-url': `http://127.0.0.1:${granted.port}/` } })
  assert.match(many.text, /fetch takes up to 128 header fields/)
  assert.equal(other.requests.length, 0)
})

test('granted variables of the agent stand in `env`, the others do not', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = (request, context) => block(418, { body: { env, same: context.env } })', {
    settings: 'env { TENANT "acme"; TOKEN "hidden" }', config: 'allow { env "TENANT" "NOT_THERE" }', env: { SECRET: 'hidden' },
  })
  assert.deepEqual(JSON.parse((await sentinel.get('/')).text), { env: { TENANT: 'acme' }, same: { TENANT: 'acme' } })
})
