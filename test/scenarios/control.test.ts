import assert from 'node:assert/strict'
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import type { StatusJson } from '../../proxy/admin/status.ts'
import { findPlaces, makePlace } from '../../proxy/control/index.ts'
import { atATime } from '../support/at-a-time.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { eventually, siteOf } from '../support/running-service.ts'
import { runSentinel, startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const waiting = atATime(2)

/** A proxy whose control socket is in a folder of this test, and its commands. */
async function controlled (t: TestContext, kdl: string): Promise<{ sentinel: RunningSentinel, runtime: string, command: (...args: string[]) => ReturnType<typeof runSentinel> }> {
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-runtime-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const env = { RUNTIME_DIRECTORY: runtime }
  const sentinel = await startSentinel(t, kdl, { env })
  return { sentinel, runtime, command: (name = '', ...args) => runSentinel([...name.split(' '), '-c', sentinel.file, ...args], { env }) }
}

function socketIn (runtime: string): string {
  const [folder] = readdirSync(runtime)
  return join(runtime, folder!, 'control.sock')
}

async function statusBy (command: (...args: string[]) => ReturnType<typeof runSentinel>): Promise<StatusJson> {
  const { stdout, code, stderr } = await command('status', '--json')
  assert.equal(code, 0, stderr)
  return JSON.parse(stdout) as StatusJson
}

test('sentinel reload waits until the new configuration serves, and says what it did by its exit code', async (t) => {
  const one = await startRecordingUpstream(t, (_, response) => response.end('one'))
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const { sentinel, command } = await controlled(t, siteOf([one.port]))
  assert.equal((await sentinel.get('/')).text, 'one')
  writeFileSync(sentinel.file, siteOf([two.port]))
  const done = await command('reload')
  assert.equal(done.code, 0, done.stderr)
  assert.match(done.stdout, /^configuration taken over \(version [0-9a-f]{12}\)\n$/)
  assert.equal((await sentinel.get('/')).text, 'two')
  assert.match((await command('reload')).stdout, /says what it said before/)
  assert.deepEqual((await statusBy(command)).config.last_reload?.ok, true)
})

waiting('a reload that fails changes nothing and is seen everywhere: exit code, text as check prints it, log, metric, status', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('still here'))
  const withMetrics = (text: string): string => text.replace('metrics { enabled #false }', 'metrics { address "127.0.0.1:0" }')
  const { sentinel, command } = await controlled(t, withMetrics(siteOf([upstream.port])))
  const { version } = (await statusBy(command)).config
  writeFileSync(sentinel.file, withMetrics(siteOf([upstream.port])).replace('upstream "app" }', 'upstream "ap" }'))
  const failed = await command('reload')
  assert.equal(failed.code, 1)
  const checked = await command('check')
  assert.ok(failed.stderr.includes(checked.stdout.split('\n').slice(0, 3).join('\n')), `${failed.stderr}\n---\n${checked.stdout}`)
  assert.match(failed.stderr, /the old one stays/)
  assert.equal((await sentinel.get('/')).text, 'still here')
  assert.match((await sentinel.logged(({ event }) => event === 'reload-failed')).msg!, /CONFIG_UNKNOWN_REFERENCE/)
  assert.match(await sentinel.metrics(), /sentinel_config_reloads_total\{result="failure"\} 1/)
  const { config } = await statusBy(command)
  assert.equal(config.version, version)
  assert.equal(config.last_reload?.ok, false)
  assert.match(config.last_error!, /CONFIG_UNKNOWN_REFERENCE/)
  assert.match((await command('status')).stdout, /last reload .* failed: .*CONFIG_UNKNOWN_REFERENCE/)
  writeFileSync(sentinel.file, withMetrics(siteOf([upstream.port])))
  assert.equal((await command('reload')).code, 0)
  assert.equal((await statusBy(command)).config.last_error, undefined, 'a good one ends it')
})

test('reload --dry-run tells what would change and which open streams it would end, and changes nothing', async (t) => {
  const one = await startRecordingUpstream(t, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (request.url === '/events') response.write('data: 1\n\n')
    else response.end('one')
  })
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const { sentinel, command } = await controlled(t, siteOf([one.port]))
  const same = await command('reload', '--dry-run')
  assert.equal(same.code, 0, same.stderr)
  assert.match(same.stdout, /a reload would change nothing/)
  const streams = await Promise.all([1, 2].map(() => openStream(sentinel.port(), '/events')))
  writeFileSync(sentinel.file, siteOf([two.port]))
  const changed = await command('reload', '--dry-run')
  assert.equal(changed.code, 3, changed.stderr)
  assert.match(changed.stdout, new RegExp(`- target "127.0.0.1:${one.port}"`))
  assert.match(changed.stdout, new RegExp(`\\+ target "127.0.0.1:${two.port}"`))
  assert.match(changed.stdout, new RegExp(`Cut unless it ends within 5s:\\n  2 exchanges and streams with 127.0.0.1:${one.port} of upstream 'app'`))
  assert.equal((await sentinel.get('/')).text, 'one', 'it was a dry run')
  writeFileSync(sentinel.file, 'listeners {')
  assert.equal((await command('reload', '--dry-run')).code, 1)
  for (const stream of streams) stream()
})

/** As `curl --unix-socket` does. */
function askPlainly (socketPath: string, method: string, path: string, body: string): Promise<{ status: number, json: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ socketPath, method, path, headers: { host: 'x' } }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
      response.on('end', () => resolve({ status: response.statusCode!, json: JSON.parse(text) as Record<string, unknown> }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function openStream (port: number, path: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ port, path, agent: false }, (response) => {
      response.on('error', () => {})
      response.once('data', () => resolve(() => sent.destroy()))
    })
    sent.on('error', reject)
    sent.end()
  })
}

waiting('a drained target gets nothing new until it is put back, over reloads, and status shows it', async (t) => {
  const one = await startRecordingUpstream(t, (_, response) => response.end('one'))
  const two = await startRecordingUpstream(t, (_, response) => response.end('two'))
  const { sentinel, command } = await controlled(t, siteOf([one.port, two.port]))
  const ask = async (): Promise<Set<string>> => new Set(await Promise.all(Array.from({ length: 10 }, async () => (await sentinel.get('/')).text)))
  assert.deepEqual(await ask(), new Set(['one', 'two']))
  const drained = await command('drain', 'app', `127.0.0.1:${one.port}`)
  assert.equal(drained.code, 0, drained.stderr)
  assert.deepEqual(await ask(), new Set(['two']))
  writeFileSync(sentinel.file, siteOf([one.port, two.port]).replace('path-prefix "/"', 'path-prefix "/"; method "GET"'))
  assert.equal((await command('reload')).code, 0)
  assert.deepEqual(await ask(), new Set(['two']), 'a reload does not put it back')
  assert.match((await command('status')).stdout, new RegExp(`127.0.0.1:${one.port} +drained`))
  assert.equal((await command('undrain', 'app', `127.0.0.1:${one.port}`)).code, 0)
  assert.deepEqual(await ask(), new Set(['one', 'two']))
  const unknown = await command('drain', 'app', '127.0.0.1:1')
  assert.equal(unknown.code, 2)
  assert.match(unknown.stderr, /there is no target '127.0.0.1:1' in an upstream 'app'/)
})

waiting('sentinel stop lets open requests finish and returns when the process is at its end; with --now it cuts them off', async (t) => {
  const answers: Array<() => void> = []
  const upstream = await startRecordingUpstream(t, (_, response) => { answers.push(() => response.end('late')) })
  for (const now of [false, true]) {
    const { sentinel, command } = await controlled(t, siteOf([upstream.port]).replace('graceful-shutdown-timeout "5s"', 'graceful-shutdown-timeout "90s"'))
    const asked = sentinel.get('/').then(({ text }) => text, () => 'cut')
    const answer = await eventually(() => answers.pop(), 'the request arrives')
    const stopping = command('stop')
    await sentinel.logged(({ event }) => event === 'stopping')
    if (now) assert.equal((await command('stop', '--now')).code, 0, 'also while it waits for open requests')
    else answer()
    const stopped = await stopping
    assert.equal(stopped.code, 0, stopped.stderr)
    assert.equal(stopped.stdout, 'stopped\n')
    assert.equal(await eventually(() => sentinel.process.exitCode ?? undefined, 'the end of the process'), 0)
    const text = await asked
    if (now) assert.notEqual(text, 'late')
    else assert.equal(text, 'late')
  }
})

test('the socket is private to the user, speaks plain HTTP, and is gone with the process', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { sentinel, runtime, command } = await controlled(t, siteOf([upstream.port]))
  const socket = socketIn(runtime)
  assert.equal(statSync(socket).mode & 0o777, 0o600)
  assert.equal(statSync(join(socket, '..')).mode & 0o777, 0o700)
  const ask = (method: string, path: string, body = ''): Promise<{ status: number, json: Record<string, unknown> }> => askPlainly(socket, method, path, body)
  assert.equal((await ask('GET', '/status')).json['pid'], sentinel.pid)
  assert.equal((await ask('POST', '/reload')).json['ok'], true)
  assert.equal((await ask('GET', '/reload')).status, 405, 'a mere look changes nothing')
  assert.equal((await ask('GET', '/nothing')).status, 404)
  assert.equal((await ask('GET', '/__proto__')).status, 404)
  for (const body of ['[1]', 'x'.repeat(20_000), '{"upstream":1}']) assert.equal((await ask('POST', '/drain', body)).status, 400)
  assert.equal((await command('status', '-s', socket)).code, 0)
  await sentinel.stop()
  assert.deepEqual(readdirSync(runtime), [], 'nothing is left')
  const nobody = await command('status')
  assert.equal(nobody.code, 2)
  assert.match(nobody.stderr, /no Sentinel runs on this configuration/)
  // Where it was looked is said, by the commands that follow as well.
  for (const name of ['agents', 'tail']) {
    assert.match((await command(name)).stderr, /no Sentinel runs on this configuration, or none of this user \(.*sentinel\.kdl\)\n$/)
    assert.equal((await command(name, '-s', socket)).stderr, `sentinel ${name}: no Sentinel answers on ${socket}\n`)
  }
})

waiting('who looks at a proxy that stands still is told so, and is not kept', async (t) => {
  const { sentinel, command } = await controlled(t, siteOf([1]))
  sentinel.process.kill('SIGSTOP')
  try {
    const [looked, recorded] = await Promise.all([command('agents'), command('record', '--for', '1s', '-o', join(sentinel.folder, 'none.jsonl'))])
    assert.equal(looked.code, 2)
    assert.match(looked.stderr, /did not answer to the end: nothing came in 10 s: it may be stopped/)
    assert.deepEqual([recorded.code, recorded.stderr], [2, 'sentinel record: nothing is recorded: the proxy has not begun to answer\n'])
    assert.ok(!existsSync(join(sentinel.folder, 'none.jsonl')))
  } finally {
    sentinel.process.kill('SIGCONT')
  }
  assert.equal((await command('agents')).stdout, 'the configuration has no agents\n')
})

waiting('a second one on the same configuration says so and leaves the first alone; what a killed one left is in nobody\'s way', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('here'))
  const { sentinel, runtime, command } = await controlled(t, siteOf([upstream.port]))
  const second = await command('run')
  assert.equal(second.code, 2)
  assert.match(second.stderr, /another Sentinel runs on this configuration/)
  assert.equal((await sentinel.get('/')).text, 'here')
  assert.equal((await command('status')).code, 0)
  sentinel.process.kill('SIGKILL')
  await sentinel.stop()
  assert.ok(existsSync(socketIn(runtime)), 'it had no time to remove it')
  assert.equal((await command('status')).code, 2)
  const third = command('run')
  await eventually(async () => (await command('status')).code === 0 ? true : undefined, 'the third one serves')
  assert.equal((await command('stop')).code, 0)
  assert.equal((await third).code, 0)
})

waiting('system { control-socket } puts it elsewhere, and commands find it all the same; #false means none', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-place-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const placed = await controlled(t, siteOf([upstream.port], `control-socket "${folder}/here.sock"`))
  assert.ok(lstatSync(join(folder, 'here.sock')).isSocket())
  assert.equal((await placed.command('status')).code, 0)
  await placed.sentinel.stop()
  assert.deepEqual([readdirSync(folder), readdirSync(placed.runtime)], [[], []])
  const none = await controlled(t, siteOf([upstream.port], 'control-socket #false'))
  assert.deepEqual(readdirSync(none.runtime), [])
  assert.equal((await none.command('status')).code, 2)
})

test('a folder that somebody else could have made or can change is not used', (t) => {
  const base = mkdtempSync(join(tmpdir(), 'sentinel-squat-'))
  t.after(() => rmSync(base, { recursive: true, force: true }))
  const file = join(base, 'sentinel.kdl')
  writeFileSync(file, '')
  const uid = process.getuid!()
  const open = join(base, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  const around = (folder: string) => ({ env: { RUNTIME_DIRECTORY: folder }, uid })
  assert.ok(!makePlace(file, around(open)).startsWith(open), 'others may write to it')
  assert.ok(findPlaces(file, around(open)).every((path) => !path.startsWith(open)))
  const good = join(base, 'good')
  mkdirSync(good, { mode: 0o700 })
  const place = makePlace(file, around(good))
  assert.ok(place.startsWith(good))
  chmodSync(join(place, '..'), 0o777)
  assert.ok(!makePlace(file, around(good)).startsWith(good), 'its own folder is open to others')
  rmSync(join(makePlace(file, around(good)), '..'), { recursive: true, force: true })
})

test('what answers in place of a proxy is not believed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-fake-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const fake = createServer((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes')).listen(join(folder, 's'))
  t.after(() => fake.close())
  const { code, stderr } = await runSentinel(['status', '-s', join(folder, 's')])
  assert.equal(code, 2)
  assert.match(stderr, /did not answer to the end: its answer is not JSON/)
})

test('commands that wait for as long as it takes do not wait for a proxy that is stopped', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('still here'))
  const { sentinel, command } = await controlled(t, siteOf([upstream.port]))
  sentinel.process.kill('SIGSTOP')
  t.after(() => { sentinel.process.kill('SIGCONT') })
  const asked = await Promise.all([command('stop'), command('drain', 'app', `127.0.0.1:${upstream.port}`)])
  sentinel.process.kill('SIGCONT')
  for (const { code, stderr } of asked) {
    assert.equal(code, 2)
    assert.match(stderr, /nothing came in 10 s: it may be stopped/)
  }
  assert.equal((await sentinel.get('/')).text, 'still here', 'what was given up is not done later')
})
