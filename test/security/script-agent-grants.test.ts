// A script gets what its agent's configuration grants, and nothing beside.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
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

test('granted hosts are spoken to, on their port alone; a redirect is shown and not followed', async (t) => {
  const granted = await startRecordingUpstream(t, (request, response) => {
    if (request.url === '/away') response.writeHead(302, { location: `http://127.0.0.1:${other.port}/` }).end()
    else if (request.url === '/endless') response.write('x')
    else if (request.url === '/large') response.end('x'.repeat(9 * 1024 * 1024))
    else response.writeHead(201, { 'x-from': 'granted' }).end(`${request.method} ${String(request.headers['x-mine'])} ${request.body.toString()}`)
  })
  const other = await startRecordingUpstream(t)
  const { sentinel } = await startScript(t, `
export async function onRequest (request) {
  try {
    const answer = await fetch(request.headers['x-url'], { method: 'POST', headers: { 'x-mine': 'yes' }, body: 'text' })
    return block(418, { body: { status: answer.status, ok: answer.ok, from: answer.headers['X-From'], text: await answer.text() } })
  } catch (error) {
    return block(403, { body: error.message })
  }
}`, { config: `timeout "2s"; workers 1; allow { net "127.0.0.1:${granted.port}" "127.0.0.1:1" }` })
  const ask = async (url: string) => (await sentinel.get('/', { headers: { 'x-url': url } }))
  assert.deepEqual(JSON.parse((await ask(`http://127.0.0.1:${granted.port}/`)).text), { status: 201, ok: true, from: 'granted', text: 'POST yes text' })
  assert.equal((JSON.parse((await ask(`http://127.0.0.1:${granted.port}/away`)).text) as { status: number }).status, 302)
  const others = [`http://127.0.0.1:${other.port}/`, `http://localhost:${granted.port}/`, `https://127.0.0.1/`, `http://127.0.0.1:${granted.port}@127.0.0.1:${other.port}/`, `http://user@127.0.0.1:${other.port}`]
  for (const url of others) assert.match((await ask(url)).text, /speaking to .* is not granted/, url)
  for (const url of ['file:///etc/passwd', 'data:text/plain,x', 'nothing', 'ftp://127.0.0.1/']) assert.match((await ask(url)).text, /fetch takes http and https addresses/, url)
  assert.match((await ask(`http://127.0.0.1:${granted.port}/large`)).text, /longer than 8 MiB/)
  assert.match((await ask('http://127.0.0.1:1/')).text, /127\.0\.0\.1:1 did not answer/)
  assert.equal((await ask(`http://127.0.0.1:${granted.port}/endless`)).status, 503, 'an answer without end costs the call')
  assert.equal(other.requests.length, 0)
})

test('granted variables of the agent stand in `env`, the others do not', async (t) => {
  const { sentinel } = await startScript(t, 'export const onRequest = (request, context) => block(418, { body: { env, same: context.env } })', {
    settings: 'env { TENANT "acme"; TOKEN "hidden" }', config: 'allow { env "TENANT" "NOT_THERE" }', env: { SECRET: 'hidden' },
  })
  assert.deepEqual(JSON.parse((await sentinel.get('/')).text), { env: { TENANT: 'acme' }, same: { TENANT: 'acme' } })
})
