import assert from 'node:assert/strict'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readlinkSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { eventually, makeSite, siteOf } from '../support/running-service.ts'
import { startSentinel } from '../support/sentinel.ts'
import { isAlive } from '../support/workers.ts'

const isRoot = process.getuid?.() === 0
const whyNotRoot = !isRoot ? 'only root can become another user' : !canBeEntered(fromDist()) ? 'nobody else may read the built program here' : false

function canBeEntered (folder: string): boolean {
  return (statSync(folder).mode & 0o005) === 0o005 && (folder === '/' || canBeEntered(dirname(folder)))
}

test('the pid file names the process from when it serves to its end', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const site = makeSite(t, '')
  const pidFile = join(site.folder, 'sentinel.pid')
  writeFileSync(pidFile, '999999999\n')
  const sentinel = await startSentinel(t, siteOf([upstream.port], `pid-file "${pidFile}"`))
  await eventually(() => readFileSync(pidFile, 'utf8') === `${sentinel.pid}\n` || undefined, 'what a dead process left is replaced')
  const second = makeSite(t, siteOf([upstream.port], `pid-file "${pidFile}"`))
  const refused = await second.sentinel('run')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, new RegExp(`another Sentinel runs: process ${sentinel.pid}, says ${pidFile}`))
  assert.equal(readFileSync(pidFile, 'utf8'), `${sentinel.pid}\n`)
  await sentinel.stop()
  assert.ok(!existsSync(pidFile))
  writeFileSync(pidFile, `${process.ppid}\n`)
  const third = await startSentinel(t, siteOf([upstream.port], `pid-file "${pidFile}"`))
  await eventually(() => readFileSync(pidFile, 'utf8') === `${third.pid}\n` || undefined, 'the number of another program does not count')
})

test('a start that fails leaves no pid file, and one that cannot be written fails the start', async (t) => {
  const site = makeSite(t, '')
  site.write(siteOf([1], `pid-file "${site.folder}/pid"`).replace('127.0.0.1:0', '192.0.2.1:1'))
  assert.equal((await site.sentinel('run')).code, 2)
  assert.ok(!existsSync(join(site.folder, 'pid')))
  site.write(siteOf([1], `pid-file "${site.folder}/missing/pid"`))
  const refused = await site.sentinel('run')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /ENOENT.*missing\/pid/)
})

test('working-directory is where the process is', async (t) => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sentinel-cwd-')))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('yes'))
  const sentinel = await startSentinel(t, siteOf([upstream.port], `working-directory "${folder}"`))
  assert.equal(readlinkSync(`/proc/${sentinel.pid}/cwd`), folder)
  assert.equal((await sentinel.get('/')).text, 'yes')
})

test('daemon: the command ends when the process in the background serves, or with its exit code', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('from behind'))
  const site = makeSite(t, siteOf([upstream.port], 'daemon #true'))
  const started = await site.sentinel('run', '--quiet')
  assert.equal(started.code, 0, started.stderr)
  const [, pid] = /^Sentinel serves in the background, as process (\d+)\.$/m.exec(started.stdout) ?? []
  t.after(() => { if (isAlive(Number(pid))) process.kill(Number(pid), 'SIGKILL') })
  const status = JSON.parse((await site.sentinel('status', '--json')).stdout) as { pid: number, listeners: ReadonlyArray<{ address: string }> }
  assert.equal(status.pid, Number(pid))
  const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, 'latin1').split(' ')
  assert.equal(session, pid, 'a session of its own: no terminal takes it along')
  assert.equal((await request(Number(status.listeners[0]!.address.split(':')[1]), '/')).text, 'from behind')
  const second = await site.sentinel('run')
  assert.equal(second.code, 2)
  assert.match(second.stderr, /the process in the background ended with 2: .*another Sentinel runs on this configuration/)
  assert.equal((await site.sentinel('stop')).code, 0)
})

test('user without the rights of root is refused with a sentence', { skip: isRoot && 'only for others than root' }, async (t) => {
  const site = makeSite(t, siteOf([1], 'user "nobody"'))
  const refused = await site.sentinel('run')
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, /needs the program to be started as root/)
})

test('a user or group that is not there is refused before anything is opened', async (t) => {
  for (const [system, said] of [['user "no-such-user"', "there is no user 'no-such-user'"], ['user "nobody"; group "no-such-group"', "there is no group 'no-such-group'"]] as const) {
    const site = makeSite(t, siteOf([1], `${system}; pid-file "pid"`))
    const refused = await site.sentinel('run')
    assert.equal(refused.code, 2)
    assert.match(refused.stderr, new RegExp(said))
    assert.ok(!existsSync(join(site.folder, 'pid')))
  }
})

test('group alone is a mistake', async (t) => {
  const site = makeSite(t, siteOf([1], 'group "daemon"'))
  const { stdout, code } = await site.sentinel('check')
  assert.equal(code, 1)
  assert.match(stdout, /CONFIG_CONTRADICTION.*group/)
})

/** Ids of a process: real, effective, saved. */
function idsOf (pid: number): { uid: string, gid: string, groups: string } {
  const lines = readFileSync(`/proc/${pid}/status`, 'latin1').split('\n')
  const of = (name: string): string => lines.find((line) => line.startsWith(`${name}:`))!.slice(name.length + 1).trim().replaceAll(/\s+/g, ' ')
  return { uid: of('Uid'), gid: of('Gid'), groups: of('Groups') }
}

function nobody (): { uid: number, gid: number } {
  const [, , uid, gid] = readFileSync('/etc/passwd', 'utf8').split('\n').find((line) => line.startsWith('nobody:'))!.split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

test('root becomes the user once the port is bound: nothing of it is left, and logs, reloads and agents go on', { skip: whyNotRoot }, async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('unprivileged'))
  const folder = openFolder(t)
  const socket = join(folder, 'web.sock')
  // An address of its own: others on this machine may run this test, too.
  const address = `127.83.${process.pid >> 8 & 255}.${process.pid & 255}`
  const kdl = siteOf([upstream.port], `user "nobody"; pid-file "${folder}/sentinel.pid"`)
    .replace('listener "web"', `listener "local" { address "unix:${socket}" }; listener "low" { address "${address}:83" }; listener "web"`)
    .replace('access-log { enabled #false }', `access-log { file "${folder}/access.log" }`) + '\nwaf { mode "detection" }\n'
  writeFileSync(join(folder, 'access.log'), '')
  const sentinel = await startSentinel(t, kdl, { env: { RUNTIME_DIRECTORY: folder }, folderMode: 0o755 })
  const low = (): Promise<string> => textOf(address)
  const { uid, gid } = nobody()
  const fourTimes = (id: number): string => [id, id, id, id].join(' ')
  assert.deepEqual(idsOf(sentinel.pid), { uid: fourTimes(uid), gid: fourTimes(gid), groups: String(gid) })
  const agents = Object.values(sentinel.agentPids())
  assert.equal(agents.length, 1)
  for (const pid of agents) assert.deepEqual(idsOf(pid).uid, fourTimes(uid), 'an agent is nobody more')
  assert.equal(await low(), 'unprivileged')
  assert.deepEqual([statSync(join(folder, 'access.log')).uid, statSync(socket).uid, statSync(join(folder, 'sentinel.pid')).uid], [uid, uid, uid])
  await eventually(() => readFileSync(join(folder, 'access.log'), 'utf8').includes('"status":200') || undefined, 'the access log is written')
  assert.equal((await sentinel.reload(kdl.replace('path-prefix "/"', 'path-prefix "/"; method "GET"'))).event, 'reloaded')
  assert.equal(await low(), 'unprivileged')
  await sentinel.stop()
})

async function textOf (host: string): Promise<string> {
  const [response] = await once(get({ host, port: 83 }), 'response') as [IncomingMessage]
  return (await response.toArray()).join('')
}

function openFolder (t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-open-'))
  chmodSync(folder, 0o755)
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}
