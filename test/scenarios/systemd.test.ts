import assert from 'node:assert/strict'
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test, type TestContext } from 'node:test'
import { boundAddress, takeGivenSockets } from '../../proxy/service/index.ts'
import { atATime } from '../support/at-a-time.ts'
import { fromDist, fromRoot } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { eventually, makeSite, siteOf } from '../support/running-service.ts'
import { startSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

const waiting = atATime(3)

const missing = (command: string): string | false => spawnSync(command, ['--version']).error === undefined ? false : `${command} is not installed`
const noNotify = missing('python3') || missing('systemd-notify')

/** What the service manager does with NOTIFY_SOCKET: one line for each message. */
const receiver = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True:
    data, fds, flags, addr = socket.recv_fds(s, 4096, 4)
    for fd in fds: socket.close(fd)
    print(data.decode().replace('\\n', ' | '), flush=True)
`

/** A socket as systemd listens on, and what was said there, the messages of synchronisation left out. */
async function notifySocket (t: TestContext): Promise<{ path: string, said: readonly string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-notify-'))
  const path = join(folder, 'notify')
  const child = spawn('python3', ['-c', receiver, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => { if (!line.startsWith('BARRIER')) lines.push(line) })
  await eventually(() => lines.shift(), 'the receiver listens')
  return { path, said: lines }
}

waiting('systemd is told when it serves, reloads and stops, and that it lives', { skip: noNotify }, async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { path, said } = await notifySocket(t)
  const sentinel = await startSentinel(t, siteOf([upstream.port]), { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' } })
  const heard = (pattern: RegExp, from = 0): Promise<number> => eventually(() => {
    const at = said.findIndex((line, index) => index >= from && pattern.test(line))
    return at < 0 ? undefined : at
  }, `${pattern} among ${said.join('; ')}`)
  const ready = await heard(new RegExp(`^READY=1 \\| MAINPID=${sentinel.pid} \\| STATUS=serving on 127\\.0\\.0\\.1:${sentinel.port()}; configuration [0-9a-f]{12}$`))
  assert.equal(ready, 0, 'nothing is said before it serves')
  const beat = await heard(/^WATCHDOG=1$/)
  await heard(/^WATCHDOG=1$/, beat + 1)
  assert.equal((await sentinel.reload(`${siteOf([upstream.port])}\nnonsense`)).event, 'reload-failed')
  const reloading = await heard(/^RELOADING=1 \| MONOTONIC_USEC=\d+$/)
  const [, usec] = /MONOTONIC_USEC=(\d+)/.exec(said[reloading]!)!
  const nowUsec = process.hrtime.bigint() / 1000n
  assert.ok(nowUsec - BigInt(usec!) < 60_000_000n && nowUsec >= BigInt(usec!), 'it is the clock of the system')
  await heard(/^READY=1 .*the last reload failed: .*CONFIG_UNKNOWN_SETTING/, reloading)
  await sentinel.stop()
  await heard(/^STOPPING=1$/)
})

waiting('a proxy that hangs gives no sign of life', { skip: noNotify }, async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { path, said } = await notifySocket(t)
  const sentinel = await startSentinel(t, siteOf([upstream.port]), { env: { NOTIFY_SOCKET: path, WATCHDOG_USEC: '200000' } })
  await eventually(() => said.includes('WATCHDOG=1') || undefined, 'it lives')
  sentinel.process.kill('SIGSTOP')
  await new Promise((resolve) => { setTimeout(resolve, 3_000) })
  const count = said.length
  await new Promise((resolve) => { setTimeout(resolve, 1_000) })
  assert.equal(said.length, count)
  sentinel.process.kill('SIGCONT')
  await eventually(() => said.length > count || undefined, 'it lives again')
})

waiting('without systemd-notify it serves all the same, and says once what is missing', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('yes'))
  const sentinel = await startSentinel(t, siteOf([upstream.port]), { env: { NOTIFY_SOCKET: '/nowhere', PATH: '/nonexistent' } })
  assert.match((await sentinel.logged(({ event }) => event === 'notify-failed')).msg!, /systemd-notify is not installed/)
  assert.equal((await sentinel.get('/')).text, 'yes')
})

test('at an upgrade the old process ends when systemd knows the new one, and never says again that it is the one', { skip: noNotify }, async (t) => {
  const upstream = await startRecordingUpstream(t)
  const { path, said } = await notifySocket(t)
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-slow-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // As on a machine that has much to do: until somebody is told takes a second.
  const { stdout: where } = spawnSync('sh', ['-c', 'command -v systemd-notify'], { encoding: 'utf8' })
  writeFileSync(join(folder, 'systemd-notify'), `#!/bin/sh\nsleep 1\nexec ${where.trim()} "$@"\n`, { mode: 0o755 })
  const env = { NOTIFY_SOCKET: path, PATH: `${folder}:${process.env['PATH'] ?? ''}` }
  const sentinel = await startSentinel(t, siteOf([upstream.port], 'auto-reload #true'), { env })
  await eventually(() => said.some((line) => line.includes(`MAINPID=${sentinel.pid} `)) || undefined, 'it serves')
  let knewThen: boolean | undefined
  sentinel.process.once('exit', () => { knewThen = said.some((line) => line.includes('MAINPID=') && !line.includes(`=${sentinel.pid} `)) })
  sentinel.process.kill('SIGUSR2')
  // A file that changes while a new version is installed.
  await new Promise((resolve) => { setTimeout(resolve, 100) })
  sentinel.process.kill('SIGHUP')
  const successor = (await sentinel.logged(({ event }) => event === 'upgraded'))['successor'] as number
  t.after(() => { process.kill(successor, 'SIGKILL') })
  await eventually(() => knewThen, 'the old process ends')
  assert.ok(knewThen, said.join('; '))
  const mains = said.map((line) => /MAINPID=(\d+)/.exec(line)?.[1]).filter((pid) => pid !== undefined).map(Number)
  assert.deepEqual(mains, [sentinel.pid, successor])
  assert.ok(said.some((line) => line.startsWith('RELOADING=1')), 'what is begun is ended')
  assert.match(said.findLast((line) => line.startsWith('READY=1'))!, /the last reload failed: process \d+ has taken over/)
})

/** Opens sockets as a service manager does, and becomes the program: descriptors from 3 on, and its own number in LISTEN_PID. */
const activator = `
import os, socket, sys
spec, names, program = sys.argv[1], sys.argv[2], sys.argv[3:]
held = []
for one in spec.split(','):
    if one.startswith('/'):
        s = socket.socket(socket.AF_UNIX); s.bind(one)
    elif one.startswith('['):
        s = socket.socket(socket.AF_INET6); s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0); s.bind(('::', int(one.split(']:')[1])))
    else:
        host, port = one.rsplit(':', 1); s = socket.socket(); s.bind((host, int(port)))
    s.listen(64); held.append(s)
    print('at', s.getsockname() if one.startswith('/') else s.getsockname()[1], file=sys.stderr, flush=True)
high = [os.dup2(s.fileno(), 100 + i) for i, s in enumerate(held)]
for i, fd in enumerate(high): os.dup2(fd, 3 + i, inheritable=True); os.close(fd)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(held)), LISTEN_FDNAMES=names)
os.execv(program[0], program)
`

interface Activated {
  readonly child: ChildProcess
  readonly log: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** Ports of the sockets, in their order. */
  readonly ports: readonly number[]
}

async function activate (t: TestContext, file: string, { sockets, names, env = {} }: { sockets: string, names: string, env?: Readonly<Record<string, string>> }): Promise<Activated> {
  const child = spawn('python3', ['-c', activator, sockets, names, process.execPath, fromDist('proxy', 'main.js'), 'run', '--quiet', '-c', file], {
    env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(() => { if (child.exitCode === null) child.kill('SIGKILL') })
  const log: Array<Record<string, unknown>> = []
  const ports: number[] = []
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (line.startsWith('{')) log.push(JSON.parse(line) as Record<string, unknown>)
    else ports.push(Number(line.slice('at '.length)))
  })
  await eventually(() => log.some(({ event }) => event === 'ready') || undefined, 'it serves').catch((error: unknown) => { throw new Error(JSON.stringify(log), { cause: error }) })
  return { child, log, ports }
}

test('sockets that systemd opened are served by the listeners of their name or address; nothing is bound anew', { skip: missing('python3') }, async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('activated'))
  const site = makeSite(t, '')
  const path = join(site.folder, 'web.sock')
  // The listener's own address is one that it could not bind: only the given socket can be what answers.
  site.write(siteOf([upstream.port]).replace('listener "web" { address "127.0.0.1:0" }', `listener "web" { address "192.0.2.1:80" }; listener "local" { address "unix:${path}" }`))
  const { child, log, ports } = await activate(t, site.file, { sockets: `127.0.0.1:0,${path},127.0.0.1:0`, names: 'web:unknown:other', env: site.env })
  assert.equal((await request(ports[0]!, '/')).text, 'activated')
  assert.equal(await textOver(path), 'activated')
  assert.equal(log.filter(({ event }) => event === 'socket-given').length, 2)
  assert.equal(log.find(({ event }) => event === 'socket-unused')?.['name'], 'other')
  assert.equal((await site.sentinel('reload')).code, 0)
  assert.equal((await request(ports[0]!, '/')).text, 'activated', 'and after a reload')
  assert.equal((await site.sentinel('stop')).code, 0)
  assert.equal(await eventually(() => child.exitCode ?? undefined, 'the end'), 0)
})

async function textOver (socketPath: string): Promise<string> {
  const [response] = await once(get({ socketPath, path: '/' }), 'response') as [IncomingMessage]
  return (await response.toArray()).join('')
}

test('a socket for both families is the one of a listener on all addresses', { skip: missing('python3') }, async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('both'))
  const port = await deadPort()
  const site = makeSite(t, siteOf([upstream.port]).replace('127.0.0.1:0', `0.0.0.0:${port}`))
  await activate(t, site.file, { sockets: `[::]:${port}`, names: 'unknown', env: site.env })
  assert.equal((await request(port, '/')).text, 'both')
})

test('what is meant for another process is left alone, and nothing of it is passed on', () => {
  const env: Record<string, string | undefined> = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'web', PATH: '/bin' }
  assert.deepEqual(takeGivenSockets(env), [])
  assert.deepEqual(env, { PATH: '/bin' })
  const own = { LISTEN_PID: String(process.pid), LISTEN_FDS: '2', LISTEN_FDNAMES: 'web:unknown' }
  assert.deepEqual(takeGivenSockets({ ...own }), [{ fd: 3, name: 'web' }, { fd: 4, name: '' }])
  assert.deepEqual(takeGivenSockets({ ...own, LISTEN_FDS: 'many' }), [])
  assert.equal(boundAddress(0), undefined)
})

test('the units are what systemd understands', { skip: missing('systemd-analyze') }, (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-units-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const names = ['sentinel.service', 'sentinel.socket']
  // Nothing is installed where the test runs: the program is one that is there, and everything else is as written.
  for (const name of names) writeFileSync(join(folder, name), readFileSync(fromRoot('examples', 'systemd', name), 'utf8').replaceAll('/usr/bin/sentinel', '/bin/true'))
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...names.map((name) => join(folder, name))], { encoding: 'utf8' })
  const about = `${stdout}${stderr}`.split('\n').filter((line) => line.includes('sentinel.'))
  assert.deepEqual(about, [])
  assert.equal(status, 0, stderr)
})
