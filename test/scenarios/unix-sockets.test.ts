import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import http, { createServer } from 'node:http'
import { connect, createServer as createPlainServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel, type RunningSentinel } from '../support/sentinel.ts'

function folderOf (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-unix-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

function file (listener: string, target: string): string {
  return `listeners { listener "web" { ${listener} } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "${target}" } }
observability { metrics { address "127.0.0.1:0" } }
`
}

interface Answer {
  readonly status: number | undefined
  readonly text: string
}

function ask (socketPath: string, path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    http.get({ socketPath, path, headers: { host: 'a.test', ...headers }, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => resolve({ status: response.statusCode, text }))
    }).on('error', reject)
  })
}

async function serving (t: TestContext, listener: string): Promise<{ sentinel: RunningSentinel, upstream: Awaited<ReturnType<typeof startRecordingUpstream>> }> {
  const upstream = await startRecordingUpstream(t)
  return { sentinel: await startSentinel(t, file(listener, `127.0.0.1:${upstream.port}`)), upstream }
}

test('a listener on a Unix socket serves, says where, and removes its socket at the end', async (t) => {
  const path = join(folderOf(t), 'web.sock')
  const { sentinel, upstream } = await serving(t, `address "unix:${path}"`)
  assert.equal((await ask(path, '/one', { 'X-Forwarded-For': '203.0.113.9', 'X-Real-IP': '203.0.113.9', Forwarded: 'for=203.0.113.9' })).status, 200)
  const { headers } = upstream.requests[0]!
  assert.deepEqual([headers['x-forwarded-for'], headers['x-real-ip'], headers.forwarded, headers['x-forwarded-proto']], [undefined, undefined, undefined, 'http'],
    'whoever comes in through a socket has no address, and is not believed about one')
  assert.equal((await sentinel.accessed(({ path: asked }) => asked === '/one')).client_ip, 'unix:')
  assert.match(sentinel.screen(), new RegExp(`web  http on unix:${path}\\n`))
  assert.match(sentinel.screen(), new RegExp(`curl --unix-socket ${path} http://localhost/`))
  assert.equal(statSync(path).mode & 0o777, 0o660)
  await sentinel.stop()
  assert.equal(existsSync(path), false)
})

test('operators may trust whoever comes in through Unix sockets', async (t) => {
  const path = join(folderOf(t), 'web.sock')
  const { sentinel, upstream } = await serving(t, `address "unix:${path}"; trusted-proxies "unix:" "10.0.0.0/8"`)
  await ask(path, '/one', { 'X-Forwarded-For': '198.51.100.7, 203.0.113.9, 10.0.0.1', 'X-Forwarded-Proto': 'https' })
  const { headers } = upstream.requests[0]!
  assert.deepEqual([headers['x-forwarded-for'], headers['x-real-ip'], headers['x-forwarded-proto']], ['198.51.100.7, 203.0.113.9, 10.0.0.1', '203.0.113.9', 'https'])
  assert.equal((await sentinel.accessed(({ path: asked }) => asked === '/one')).client_ip, '203.0.113.9')
})

test('whoever comes in through a Unix socket may state the client by a PROXY header', async (t) => {
  const path = join(folderOf(t), 'web.sock')
  const { sentinel, upstream } = await serving(t, `address "unix:${path}"; proxy-protocol { from "unix:" }`)
  const socket = connect(path)
  t.after(() => socket.destroy())
  socket.write('PROXY TCP6 2001:db8::7 2001:db8::1 4321 443\r\nGET /one HTTP/1.1\r\nHost: a.test\r\n\r\n')
  await new Promise((resolve) => socket.once('data', resolve))
  assert.equal(upstream.requests[0]!.headers['x-forwarded-for'], '2001:db8::7')
  assert.equal((await sentinel.accessed(({ path: asked }) => asked === '/one')).client_ip, '2001:db8::7')
})

test('mode and group of the socket are what the file says', async (t) => {
  const path = join(folderOf(t), 'web.sock')
  const { sentinel } = await serving(t, `address "unix:${path}"; socket-mode "0600"; socket-owner "${process.getuid!()}"; socket-group "${process.getgid!()}"`)
  const { mode, uid, gid } = statSync(path)
  assert.deepEqual([mode & 0o777, uid, gid], [0o600, process.getuid!(), process.getgid!()])
  await sentinel.stop()
})

async function refusedStart (t: TestContext, listener: string): Promise<string> {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'sentinel.kdl'), file(listener, '127.0.0.1:9'))
  const { code, stderr } = await runSentinel(['run', '-c', join(folder, 'sentinel.kdl')])
  assert.equal(code, 2, stderr)
  return stderr
}

test('a socket that nobody serves any more is taken over, one that somebody serves is not', async (t) => {
  const folder = folderOf(t)
  const stale = join(folder, 'stale.sock')
  const { sentinel: killed } = await serving(t, `address "unix:${stale}"`)
  await killed.stop('SIGKILL')
  assert.equal(existsSync(stale), true)
  const { sentinel } = await serving(t, `address "unix:${stale}"`)
  assert.equal((await ask(stale, '/')).status, 200)
  assert.match(await refusedStart(t, `address "unix:${stale}"`), /another process answers on/)
  assert.equal((await ask(stale, '/')).status, 200, 'it still serves')
  await sentinel.stop()
})

test('what is no socket stays', async (t) => {
  const folder = folderOf(t)
  const precious = join(folder, 'precious')
  writeFileSync(precious, 'keep me')
  symlinkSync(precious, join(folder, 'link'))
  for (const name of ['precious', 'link']) assert.match(await refusedStart(t, `address "unix:${join(folder, name)}"`), /is not a socket; it is left alone/)
  assert.equal(existsSync(precious), true)
  assert.match(await refusedStart(t, `address "unix:${join(folder, 'web.sock')}"; socket-group "no-such-group"`), /'no-such-group' is not in \/etc\/group/)
})

test('a reload changes the mode of a socket, opens another one and closes this one', async (t) => {
  const folder = folderOf(t)
  const [one, two] = [join(folder, 'one.sock'), join(folder, 'two.sock')]
  const { sentinel, upstream } = await serving(t, `address "unix:${one}"`)
  const target = `127.0.0.1:${upstream.port}`
  assert.equal((await sentinel.reload(file(`address "unix:${one}"; socket-mode "0666"`, target))).event, 'reloaded')
  assert.equal(statSync(one).mode & 0o777, 0o666)
  assert.equal((await sentinel.reload(file(`address "unix:${two}"`, target).replace('"web"', '"other"'))).event, 'reloaded')
  assert.equal((await ask(two, '/')).status, 200)
  while (existsSync(one)) await new Promise((resolve) => setTimeout(resolve, 10))
})

test('a target on a Unix socket is asked there, with the client\'s host', async (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'app.sock')
  let told: unknown[] = []
  const app = createServer((request, response) => {
    told = [request.headers.host, request.headers['x-forwarded-for']]
    response.end('from the application')
  })
  await new Promise<void>((resolve) => app.listen(path, resolve))
  t.after(() => app.close())
  const sentinel = await startSentinel(t, file('address "127.0.0.1:0"', `unix:${path}`))
  const answer = await sentinel.get('/one', { host: 'a.test' })
  assert.deepEqual([answer.status, answer.text, told], [200, 'from the application', ['a.test', '127.0.0.1']])
  assert.equal((await sentinel.accessed(({ path: asked }) => asked === '/one'))['target'], `unix:${path}`)
  const checked = await runSentinel(['check', '--network', '-c', sentinel.file])
  assert.match(checked.stdout, /connected in \d+ ms/)
  app.closeAllConnections()
  app.close()
  const gone = await sentinel.get('/two')
  assert.equal(gone.status, 502)
  assert.equal((await sentinel.accessed(({ path: asked }) => asked === '/two')).fault, 'UPSTREAM_CONNECT')
})

test('commands say where listeners are', async (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'web.sock')
  writeFileSync(join(folder, 'sentinel.kdl'), file(`address "unix:${path}"`, 'unix:/run/app.sock'))
  const of = async (...args: string[]): Promise<string> => (await runSentinel([...args, '-c', join(folder, 'sentinel.kdl')])).stdout
  assert.match(await of('explain', 'GET', '/', '--client-ip', '10.0.0.1'), new RegExp(`unix:${path}`))
  assert.match(await of('explain', 'GET', '/'), /unix:\/run\/app\.sock/)
  assert.match(await of('config', 'dump'), new RegExp(`address "unix:${path}"`))
  assert.match(await of('check'), /fine|no problem|OK/i)
})

test('what fits no socket is an error before anything starts', async (t) => {
  const folder = folderOf(t)
  const long = `/${'x'.repeat(107)}`
  const wrong: ReadonlyArray<readonly [string, RegExp]> = [
    ['address "unix:web.sock"', /must begin with "\/"/],
    ['address "unix:"', /must begin with "\/"/],
    [`address "unix:${long}"`, /at most 107 bytes/],
    ['address "127.0.0.1:0"; socket-mode "0660"', /has no Unix socket, but settings of one/],
    ['address "unix:/run/web.sock"; socket-mode "0999"', /must be a file mode in octal/],
    ['address "unix:/run/web.sock"; socket-mode 660', /"0660"/],
    ['address "unix:/run/web.sock"; ipv6-only #true', /is for IPv6 addresses/],
    ['address "unix:/run/web.sock"; reuse-port #true', /is for ports/],
    ['address "127.0.0.1:0"; proxy-protocol { }', /needs 'from'/],
    ['address "unix:/run/web.sock" }; listener "two" { address "unix:/run/web.sock"', /has the address of listener 'web'/],
  ]
  for (const [listener, message] of wrong) {
    writeFileSync(join(folder, 'sentinel.kdl'), file(listener, '127.0.0.1:9'))
    const { code, stdout, stderr } = await runSentinel(['check', '-c', join(folder, 'sentinel.kdl')])
    assert.equal(code, 1, listener)
    assert.match(stdout + stderr, message)
  }
})

test('the listener\'s socket is not served by a stranger\'s mode', async (t) => {
  const folder = folderOf(t)
  const path = join(folder, 'web.sock')
  // Somebody else's dead socket, open to all: its mode must not survive.
  const before = createPlainServer()
  await new Promise<void>((resolve) => before.listen(path, resolve))
  chmodSync(path, 0o777)
  const kept = join(folder, 'kept.sock')
  renameSync(path, kept)
  await new Promise((resolve) => before.close(resolve))
  renameSync(kept, path)
  const { sentinel } = await serving(t, `address "unix:${path}"`)
  assert.equal(statSync(path).mode & 0o777, 0o660)
  await sentinel.stop()
})
