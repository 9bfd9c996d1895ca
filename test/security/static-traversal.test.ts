// Nothing outside of the folder of a route is read, whatever the path says and whatever lies in the folder.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { rawClient } from '../support/raw-client.ts'
import { startSentinel } from '../support/sentinel.ts'

const secret = 'not to be read'

function folders (t: TestContext): { base: string, root: string } {
  const base = mkdtempSync(join(tmpdir(), 'sentinel-walls-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  const root = join(base, 'root')
  mkdirSync(join(root, 'sub', '.git'), { recursive: true })
  mkdirSync(join(base, 'root-of-others'))
  for (const name of ['secret', 'root-of-others/secret', 'root/.env', 'root/sub/.git/config']) writeFileSync(join(base, name), secret)
  mkdirSync(join(root, '.well-known'))
  writeFileSync(join(root, '.well-known', 'security.txt'), 'contact')
  writeFileSync(join(root, 'open'), 'open')
  return { base, root }
}

const serve = (t: TestContext, root: string, settings = '') => startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "files" { matches { path-prefix "/" }; static-files { root "${root}"; ${settings} } } }
observability { metrics { enabled #false } }
`)

const escapes = ['..', '%2e%2e', '.%2e', '%2E.', '..;', '..;a=b', '%2e%2e;', '..%00', '%c0%ae%c0%ae', '%252e%252e', '%uff0e%uff0e', '..%c0%af', '..%ef%bc%8f', '....', '. .', '..%20']
const slashes = ['/', '%2f', '%5c', '\\', '//', '%255c', '%252f', '/./']
const starts = ['/', '//', '/sub/', '/open/', '/sub%2f', '/%2f', '/.well-known/']

test('no spelling of a path leads out of the folder', async (t) => {
  const { base, root } = folders(t)
  for (const settings of ['', 'dot-files #true; follow-links #true; directory-listing #true']) {
    const sentinel = await serve(t, root, settings)
    const paths = starts.flatMap((start) => escapes.flatMap((up) => slashes.flatMap((slash) => [1, 3].map((times) => start + `${up}${slash}`.repeat(times) + 'secret'))))
    paths.push(`/%2f${base}/secret`, `/${base}/secret`, `//${base}/secret`, `/%00/../secret`, '/open%00.html', `/sub/..%5c..%5csecret`, '/../root-of-others/secret', '/%2e%2e/root-of-others/secret', '/file:///etc/passwd')
    let client = await rawClient(t, sentinel.port())
    for (const path of paths) {
      client.send(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
      const { status, body, fields } = await client.answer()
      assert.ok(!body.includes(secret) && !body.includes('root:'), path)
      assert.ok(status !== 200 || settings !== '' && body.startsWith('<!doctype'), `${path}: ${status}`)
      if (fields.some((field) => /^connection: close/i.test(field))) client = await rawClient(t, sentinel.port())
    }
  }
})

test('hidden files are not there, but for those that are to be found', async (t) => {
  const { root } = folders(t)
  const sentinel = await serve(t, root)
  for (const path of ['/.env', '/%2eenv', '/sub/.git/config', '/sub/.git/', '/sub/.git', '/.well-known/../.env', '/sub/.well-known/x']) assert.equal((await sentinel.get(path)).status, 404, path)
  assert.equal((await sentinel.get('/.well-known/security.txt')).text, 'contact')
  const open = await serve(t, root, 'dot-files #true')
  assert.equal((await open.get('/.env')).text, secret)
})

test('a link is followed as far as the folder goes', async (t) => {
  const { base, root } = folders(t)
  symlinkSync('open', join(root, 'inside'))
  symlinkSync('../secret', join(root, 'outside'))
  symlinkSync(join(base, 'secret'), join(root, 'absolute'))
  symlinkSync('..', join(root, 'up'))
  symlinkSync(join(base, 'root-of-others'), join(root, 'neighbour'))
  symlinkSync('outside', join(root, 'twice'))
  symlinkSync('.env', join(root, 'harmless'))
  symlinkSync('round', join(root, 'round'))
  const sentinel = await serve(t, root, 'directory-listing #true; index "outside" "nothing"')
  assert.equal((await sentinel.get('/inside')).text, 'open')
  for (const path of ['/outside', '/absolute', '/up/secret', '/up', '/up/', '/neighbour/secret', '/neighbour/', '/twice', '/harmless', '/round']) assert.equal((await sentinel.get(path)).status, 404, path)
  assert.doesNotMatch((await sentinel.get('/')).text, new RegExp(secret))
  const open = await serve(t, root, 'follow-links #true')
  assert.equal((await open.get('/neighbour/secret')).text, secret)
  const fallback = await serve(t, root, 'fallback "outside"')
  assert.equal((await fallback.get('/nothing')).status, 404)
})

test('a file that becomes a link while it is asked for gives nothing away', async (t) => {
  const { root } = folders(t)
  const sentinel = await serve(t, root)
  const place = join(root, 'turning')
  const answers = new Set<string>()
  for (let i = 0; i < 300; i++) {
    rmSync(place, { force: true })
    if (i % 2 === 0) writeFileSync(place, 'open')
    else symlinkSync('../secret', place)
    const asked = sentinel.get(`/turning?${i}`)
    if (i % 3 === 0) {
      unlinkSync(place)
      symlinkSync('../secret', place)
    }
    answers.add((await asked).text)
  }
  assert.ok(![...answers].some((text) => text.includes(secret)))
})

test('what is no file is not opened for long: a pipe, a socket, a device', async (t) => {
  const { root } = folders(t)
  execFileSync('mkfifo', [join(root, 'pipe')])
  symlinkSync('/dev/zero', join(root, 'zero'))
  const sentinel = await serve(t, root, 'follow-links #true')
  for (const path of ['/pipe', '/zero', '/pipe/']) assert.equal((await sentinel.get(path)).status, 404, path)
  assert.equal((await sentinel.get('/open')).status, 200)
})

test('a file that may not be read is refused without saying why', { skip: process.getuid!() === 0 && 'root may read everything' }, async (t) => {
  const { root } = folders(t)
  writeFileSync(join(root, 'closed'), secret, { mode: 0 })
  const sentinel = await serve(t, root)
  const { status, text } = await sentinel.get('/closed')
  assert.equal(status, 403)
  assert.doesNotMatch(text, /closed|EACCES|permission to read/)
})
