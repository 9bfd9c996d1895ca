import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Agent, request as httpRequest, type RequestOptions } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { ask } from '../../proxy/control/index.ts'
import { makeSite, siteOf, startProgram } from '../support/running-service.ts'
import { fromDist } from '../support/paths.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scripted, scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { runSentinel, startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { echoServer, webSocketClient } from '../support/websocket.ts'
import { eventually } from '../support/eventually.ts'

const isRunning = (pid: number): boolean => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Has the process hand its sockets over, and gives the one that serves then; it is ended with the test. */
async function upgraded (t: TestContext, sentinel: RunningSentinel): Promise<number> {
  const seen = sentinel.log.length
  sentinel.process.kill('SIGUSR2')
  const record = await sentinel.logged((one) => (one.event === 'upgraded' || one.event === 'upgrade-failed') && sentinel.log.indexOf(one) >= seen)
  assert.equal(record.event, 'upgraded', record.msg)
  const pid = record['successor'] as number
  t.after(async () => {
    if (isRunning(pid)) process.kill(pid, 'SIGTERM')
    await eventually('the successor does not end', () => !isRunning(pid))
  })
  return pid
}

/** Asks again and again, over new and over kept connections, until it is told to stop; gives what went wrong, and how many went well. */
function traffic (targets: readonly RequestOptions[]) {
  let running = true
  let good = 0
  const wrong: string[] = []
  const agent = new Agent({ keepAlive: true })
  const ask = (options: RequestOptions): Promise<void> => new Promise((resolve) => {
    const sent = httpRequest({ path: '/', ...options }, (response) => {
      response.resume()
      response.on('end', () => {
        if (response.statusCode === 200) good++
        else wrong.push(`status ${response.statusCode}`)
        resolve()
      })
      response.on('error', (error) => { wrong.push(error.message); resolve() })
    })
    sent.on('error', (error) => { wrong.push(`${error.message} (${sent.reusedSocket ? 'kept' : 'new'} connection)`); resolve() })
    sent.end()
  })
  const loops = targets.flatMap((target) => [agent, false as const].map(async (by) => { while (running) await ask({ ...target, agent: by }) }))
  return Object.assign(async () => {
    running = false
    await Promise.all(loops)
    agent.destroy()
    return { good, wrong }
  }, { good: () => good })
}

test('a new process takes over the sockets under load: no request fails, open tunnels stay, and nothing is left behind', async (t) => {
  const echo = await echoServer(t)
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const path = join('/tmp', `sentinel-upgrade-${process.pid}.sock`)
  const sentinel = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" }; listener "local" { address "unix:${path}" } }
routes {
    route "chat" { matches { path "/" }; websocket #true; upstream "chat" }
    route "all" { matches { path-prefix "/app" }; filters "first"; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" }; upstream "chat" { target "127.0.0.1:${echo.port}" } }
agents { ${scriptedAgent('first', 'unix-socket "first.sock"')} }
observability { metrics { address "127.0.0.1:0" } }
evidence { file "evidence.jsonl" }`)
  const port = sentinel.port('web')
  const tunnel = await webSocketClient(t, port)
  const inode = statSync(path).ino
  const stop = traffic([{ port, host: '127.0.0.1', path: '/app' }, { socketPath: path, path: '/app' }])
  await eventually('requests are answered', () => stop.good() > 10)
  const exited = once(sentinel.process, 'exit')
  const before = sentinel.pid
  const first = sentinel.agentPids()['first']!
  const pid = await upgraded(t, sentinel)
  assert.notEqual(pid, before)
  const atUpgrade = stop.good()
  await wait(700)
  await eventually('requests are answered by the new process', () => stop.good() > atUpgrade + 10)
  const { good, wrong } = await stop()
  assert.deepEqual(wrong, [], `${good} requests were answered`)
  assert.equal(statSync(path).ino, inode, 'the same file')
  tunnel.send('still there?')
  const [said] = await once(tunnel, 'message') as [Buffer]
  assert.equal(said.toString(), 'still there?')
  assert.ok(isRunning(before), 'it waits for the tunnel')
  tunnel.close()
  assert.deepEqual(await exited, [0, null])
  await eventually('the agent of the first process is gone', () => !isRunning(first))
  await eventually('its socket is gone, and that of the new one is in its place', () => readdirSync(sentinel.folder).filter((name) => name.startsWith('first')).join() === 'first.sock')
  assert.equal((await request(port, '/app', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410, 'the new agent is asked')
  assert.equal((await request(sentinel.metricsPort(), '/ready')).status, 200, 'metrics are where they were')
  const agent = sentinel.agentPids()['first']!
  const inherited = readdirSync(`/proc/${agent}/fd`).map((fd) => { try { return readlinkSync(`/proc/${agent}/fd/${fd}`) } catch { return '' } })
  const listening = new Set(readFileSync('/proc/net/tcp', 'utf8').split('\n').filter((line) => / 0A /.test(line) && line.includes(`:${port.toString(16).toUpperCase().padStart(4, '0')} `)).map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`))
  assert.equal(listening.size, 1)
  assert.ok(!inherited.some((link) => listening.has(link)), 'an agent has no socket of clients')
  process.kill(pid, 'SIGTERM')
  await eventually('the successor ends', () => !isRunning(pid))
  assert.equal(existsSync(path), false)
  assert.equal((await runSentinel(['evidence', 'verify', join(sentinel.folder, 'evidence.jsonl')])).code, 0)
})

test('decisions about what the old process still finishes are in the same chain', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (received, response) => {
    if (received.url === '/slow') finish = () => response.end('late')
    else response.end('ok')
  })
  const kdl = siteWith(upstream.port, scriptedAgent('first'), ['first'], 'evidence { file "evidence.jsonl" }')
  const sentinel = await startSentinel(t, kdl)
  const pending = request(sentinel.port(), '/slow', { headers: scripted({ request: { do: 'flag' } }) })
  await eventually('the request arrived', () => finish !== undefined)
  const exited = once(sentinel.process, 'exit')
  const pid = await upgraded(t, sentinel)
  assert.equal((await request(sentinel.port(), '/', { headers: scripted({ request: { do: 'flag' } }) })).status, 200)
  finish!()
  assert.equal((await pending).text, 'late')
  assert.deepEqual(await exited, [0, null])
  process.kill(pid, 'SIGTERM')
  await eventually('the successor ends', () => !isRunning(pid))
  const file = join(sentinel.folder, 'evidence.jsonl')
  assert.equal((await runSentinel(['evidence', 'verify', file])).code, 0)
  const kinds = readFileSync(file, 'utf8').trim().split('\n').map((line) => (JSON.parse(line) as { kind: string }).kind)
  assert.equal(kinds.filter((kind) => kind === 'decision').length, 2, kinds.join(' '))
})

test('a new process that fails, or is not ready in time, changes nothing', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const path = join('/tmp', `sentinel-upgrade-failed-${process.pid}.sock`)
  const kdl = (agents: string, timeout = '60s'): string => siteWith(upstream.port, agents, [], `evidence { file "evidence.jsonl" }\nsystem { upgrade-timeout "${timeout}" }`)
    .replace('listeners {', `listeners { listener "local" { address "unix:${path}" };`)
  const agent = scriptedAgent('first', 'unix-socket "first.sock"')
  const sentinel = await startSentinel(t, kdl(agent))
  const port = sentinel.port('web')
  const cases = [
    [`${kdl(agent)}\nnonsense`, /exit code 1/],
    [kdl(agent).replace('"127.0.0.1:0" }', `"127.0.0.1:${upstream.port}" }`), /cannot listen on .*EADDRINUSE/],
    [kdl(`${agent}\nagent "mute" { command "sleep" "60" }`), /did not serve within 3 s/],
  ] as const
  for (const [text, why] of cases) {
    // A short time where its end is what is tested: a new process may need long for the other ends.
    if (why.source.includes('3 s')) assert.equal((await sentinel.reload(kdl(agent, '3s'))).event, 'reloaded')
    writeFileSync(sentinel.file, text)
    const seen = sentinel.log.length
    const stop = traffic([{ port, host: '127.0.0.1' }, { socketPath: path }])
    sentinel.process.kill('SIGUSR2')
    const record = await sentinel.logged((one) => one.event === 'upgrade-failed' && sentinel.log.indexOf(one) >= seen)
    assert.deepEqual((await stop()).wrong, [])
    assert.match(record.msg!, why)
    assert.equal((await request(port, '/', { headers: scripted({ request: { do: 'block', status: 410 } }) })).status, 410)
    assert.ok(existsSync(path))
    await eventually('only the socket of the first agent is there', () => readdirSync(sentinel.folder).filter((name) => name.startsWith('first')).join() === 'first.sock')
  }
  assert.match(await sentinel.metrics(), /sentinel_failed_upgrades_total 3/)
  assert.equal((await sentinel.reload(kdl(agent))).event, 'reloaded')
  const exited = once(sentinel.process, 'exit')
  const pid = await upgraded(t, sentinel)
  assert.deepEqual(await exited, [0, null])
  process.kill(pid, 'SIGTERM')
  await eventually('the successor ends', () => !isRunning(pid))
  assert.equal((await runSentinel(['evidence', 'verify', join(sentinel.folder, 'evidence.jsonl')])).code, 0)
})

test('sentinel upgrade waits until the new process serves, and is told by its exit code and in words when it does not', async (t) => {
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-runtime-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const env = { RUNTIME_DIRECTORY: runtime }
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const pidFile = join(runtime, 'pid')
  const kdl = siteWith(upstream.port, '', [], `system { pid-file ${JSON.stringify(pidFile)} }`)
  const sentinel = await startSentinel(t, kdl, { env })
  const command = (name: string): ReturnType<typeof runSentinel> => runSentinel([name, '-c', sentinel.file], { env })
  writeFileSync(sentinel.file, `${kdl}\nnonsense`)
  const failed = await command('upgrade')
  assert.equal(failed.code, 2)
  assert.match(failed.stderr, /the new process did not come to serve, the old one goes on: it ended with exit code 1/)
  assert.equal((await command('status')).code, 0, 'commands still reach the old process')
  assert.equal(Number(readFileSync(pidFile, 'utf8')), sentinel.pid)

  writeFileSync(sentinel.file, kdl)
  const exited = once(sentinel.process, 'exit')
  const done = await command('upgrade')
  assert.equal(done.code, 0, done.stderr)
  const pid = Number(/process (\d+) serves now/.exec(done.stdout)?.[1])
  t.after(() => { if (isRunning(pid)) process.kill(pid, 'SIGKILL') })
  assert.deepEqual(await exited, [0, null])
  await eventually('the file names the new process', () => Number(readFileSync(pidFile, 'utf8')) === pid)
  assert.equal((await request(sentinel.port(), '/')).text, 'ok')
  const status = await command('status')
  assert.match(status.stdout, new RegExp(String(pid)), status.stderr)
  assert.equal((await command('stop')).code, 0)
  await eventually('the successor ends', () => !isRunning(pid))
  assert.equal(existsSync(pidFile), false)
})

test('commands find a proxy at every moment of an upgrade', async (t) => {
  const runtime = mkdtempSync(join(tmpdir(), 'sentinel-runtime-'))
  t.after(() => rmSync(runtime, { recursive: true, force: true }))
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []), { env: { RUNTIME_DIRECTORY: runtime } })
  const socket = join(runtime, readdirSync(runtime)[0]!, 'control.sock')
  let ended = false
  sentinel.process.once('exit', () => { ended = true })
  const upgrading = upgraded(t, sentinel)
  const said = new Set<unknown>()
  while (!ended) said.add(await ask([socket], { method: 'GET', path: '/status' }).then(({ body }) => (body as { readonly pid: number }).pid, String))
  assert.deepEqual([...said], [sentinel.pid, await upgrading])
})

test('what the operator took out stays out', async (t) => {
  const [kept, drained] = [await startRecordingUpstream(t), await startRecordingUpstream(t)]
  const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${kept.port}"; target "127.0.0.1:${drained.port}" } }
observability { metrics { enabled #false } }
`)
  assert.equal((await runSentinel(['drain', 'app', `127.0.0.1:${drained.port}`, '-c', sentinel.file])).code, 0)
  await upgraded(t, sentinel)
  for (let i = 0; i < 6; i++) assert.equal((await sentinel.get('/')).status, 200)
  assert.deepEqual([kept.heads(), drained.heads()], [6, 0])
})

/** A proxy whose next process does not serve before `open` is called: its agent waits for a file. */
async function startGated (t: TestContext, more: string) {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const folder = mkdtempSync(join(tmpdir(), 'sentinel-gate-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const gate = join(folder, 'gate')
  const scripted = [process.execPath, fromDist('test', 'support', 'agents', 'scripted.js')]
  // It ends with the test: nobody tells it, when its proxy is killed.
  const wait = `while [ ! -e ${gate} ]; do [ -d ${folder} ] || exit 1; sleep 0.05; done; exec ${scripted.join(' ')}`
  const kdl = siteWith(upstream.port, `agent "first" { command "sh" "-c" ${JSON.stringify(wait)} }`, [], more)
  const open = (): void => writeFileSync(gate, '')
  open()
  const env = { RUNTIME_DIRECTORY: folder }
  const sentinel = await startSentinel(t, kdl, { env })
  rmSync(gate)
  const command = (...[name = '', ...args]: string[]): ReturnType<typeof runSentinel> => runSentinel([name, '-c', sentinel.file, ...args], { env })
  return {
    sentinel, upstream, open, command,
    /** Asks for an upgrade, and resolves with the process that is starting. */
    async upgrading (): Promise<number> {
      sentinel.process.kill('SIGUSR2')
      let pid = 0
      await eventually('the next process starts its agent', () => {
        const waiting = childrenOf(sentinel.pid).find((child) => childrenOf(child).some((agent) => commandOf(agent).includes(gate)))
        return waiting !== undefined && (pid = waiting) > 0
      })
      t.after(() => { if (isRunning(pid)) process.kill(pid, 'SIGKILL') })
      return pid
    },
  }
}

function childrenOf (pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter((text) => text !== '').map(Number)
}

function commandOf (pid: number): string {
  return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
}

test('a process that was started in a folder that is gone says so, and goes on', async (t) => {
  const site = makeSite(t, siteOf([(await startRecordingUpstream(t, (_, response) => response.end('ok'))).port]))
  const cwd = join(site.folder, 'release')
  mkdirSync(cwd)
  startProgram(t, ['run', '-q', '-c', site.file], { cwd, env: site.env })
  await eventually('it serves', async () => (await site.sentinel('status')).code === 0)
  rmSync(cwd, { recursive: true })
  const { code, stderr } = await site.sentinel('upgrade')
  assert.match(stderr, /the folder \S+\/release, in which this process was started, is gone/)
  assert.equal(code, 2)
  assert.equal((await site.sentinel('stop')).code, 0)
})

test('what a process that was killed during an upgrade left beside the socket of an agent goes with the next start', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first', 'unix-socket "first.sock"'), []))
  const names = (): string[] => readdirSync(sentinel.folder).filter((name) => name.startsWith('first.sock')).sort()
  const dead = await deadPid()
  for (const name of [`first.sock.${dead}-1`, `first.sock.${dead}-2.kept`, `first.sock.${process.pid}-1`, 'first.sock.old']) writeFileSync(join(sentinel.folder, name), '')
  await upgraded(t, sentinel)
  await eventually('those of a process that is no more are gone', () => names().join() === `first.sock,first.sock.${process.pid}-1,first.sock.old`)
})

async function deadPid (): Promise<number> {
  const child = spawn('true')
  await once(child, 'exit')
  return child.pid!
}

test('who asks twice gets one new process', async (t) => {
  const { sentinel, open, command, upgrading } = await startGated(t, 'evidence { file "evidence.jsonl" }')
  const pid = await upgrading()
  const asked = command('upgrade')
  await sentinel.logged(({ msg }) => msg === 'asked for: upgrade')
  const reloaded = command('reload')
  await sentinel.logged(({ msg }) => msg === 'asked for: reload')
  const exited = once(sentinel.process, 'exit')
  open()
  const [second, reload] = [await asked, await reloaded]
  assert.deepEqual(await exited, [0, null])
  assert.match(second.stderr, new RegExp(`process ${pid} has taken over`))
  assert.match(reload.stderr, new RegExp(`process ${pid} has taken over`))
  assert.deepEqual([second.code, reload.code], [2, 2])
  assert.deepEqual(sentinel.log.filter(({ event }) => event === 'upgraded').map(({ successor }) => successor), [pid])
  assert.equal(sentinel.log.filter(({ event }) => event === 'reloaded').length, 0)
  assert.equal((await command('stop')).code, 0)
  await eventually('the successor ends', () => !isRunning(pid))
})

for (const how of ['stop', 'stop --now', 'SIGTERM', 'SIGQUIT'] as const) {
  test(`a stop during an upgrade (${how}) stops the new process as well`, async (t) => {
    const { sentinel, command, upgrading, open } = await startGated(t, '')
    const pid = await upgrading()
    const exited = once(sentinel.process, 'exit')
    const stopped = how === 'SIGTERM' || how === 'SIGQUIT' ? void sentinel.process.kill(how) : command(...how.split(' '))
    await sentinel.logged(({ event }) => event === 'stopping')
    open()
    if (stopped !== undefined) assert.deepEqual(await stopped, { code: 0, stdout: 'stopped\n', stderr: '' })
    assert.deepEqual(await exited, [0, null])
    await eventually('the new process is gone', () => !isRunning(pid))
    await assert.rejects(request(sentinel.port(), '/'), /ECONNREFUSED/)
  })
}

test('what the operator takes out and puts back during an upgrade stays so', async (t) => {
  const other = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const { sentinel, upstream, open, command, upgrading } = await startGated(t, `upstreams { upstream "both" { target "127.0.0.1:${other.port}" } }`)
  const [mine, others] = [`127.0.0.1:${upstream.port}`, `127.0.0.1:${other.port}`]
  assert.equal((await command('drain', 'both', others)).code, 0)
  await upgrading()
  assert.equal((await command('undrain', 'both', others)).code, 0)
  assert.equal((await command('drain', 'app', mine)).code, 0)
  const exited = once(sentinel.process, 'exit')
  open()
  assert.deepEqual(await exited, [0, null])
  const status = JSON.parse((await command('status', '--json')).stdout) as { upstreams: Array<{ targets: Array<{ name: string, up: boolean }> }> }
  const drained = status.upstreams.flatMap(({ targets }) => targets).map(({ name, up }) => [name, !up])
  assert.deepEqual(Object.fromEntries(drained), { [mine]: true, [others]: false })
})

test('a new process that fails after commands have found it gives its place back', async (t) => {
  const { sentinel, command, open } = await startGated(t, '')
  open()
  const kdl = readFileSync(sentinel.file, 'utf8')
  // It can be opened, and not be written where a number belongs.
  writeFileSync(sentinel.file, `${kdl}\nsystem { pid-file "/proc/self/timerslack_ns" }`)
  const failed = await command('upgrade')
  assert.match(failed.stderr, /the old one goes on: the pid file \S+ cannot be written: ESPIPE/)
  assert.equal(failed.code, 2)
  const status = await command('status')
  assert.match(status.stdout, new RegExp(`\\b${sentinel.pid}\\b`), status.stderr)
  assert.equal((await command('stop')).code, 0)
})

test('a new process that serves in time is not given up because the old one was stopped meanwhile', async (t) => {
  const { sentinel, command, upgrading, open } = await startGated(t, 'system { upgrade-timeout "5s" }')
  const pid = await upgrading()
  sentinel.process.kill('SIGSTOP')
  open()
  await eventually('the new process serves', async () => (await command('status')).stdout.includes(String(pid)))
  await wait(6_000)
  const exited = once(sentinel.process, 'exit')
  sentinel.process.kill('SIGCONT')
  assert.deepEqual(await exited, [0, null])
  assert.equal((await command('stop')).code, 0)
  await eventually('the successor ends', () => !isRunning(pid))
})

test('a pid file that the next configuration does not name goes with the process', async (t) => {
  const { sentinel, command, open } = await startGated(t, '')
  open()
  const site = readFileSync(sentinel.file, 'utf8')
  const [first, second] = [join(sentinel.folder, 'first.pid'), join(sentinel.folder, 'second.pid')]
  for (const file of [first, second]) {
    writeFileSync(sentinel.file, `${site}\nsystem { pid-file ${JSON.stringify(file)} }`)
    assert.equal((await command('upgrade')).code, 0)
    await eventually('the file is written', () => existsSync(file))
  }
  await eventually('the file of before is gone', () => !existsSync(first))
  assert.equal((await command('stop')).code, 0)
  assert.equal(existsSync(second), false)
})

test('a process that has handed over finishes what it has, also when it is told to stop', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (_, response) => { finish = () => response.end('late') })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const pending = request(sentinel.port(), '/slow')
  await eventually('the request arrived', () => finish !== undefined)
  await upgraded(t, sentinel)
  await sentinel.logged(({ event }) => event === 'stopping')
  const exited = once(sentinel.process, 'exit')
  sentinel.process.kill('SIGTERM')
  await wait(500)
  finish!()
  assert.equal((await pending).text, 'late')
  assert.deepEqual(await exited, [0, null])
})

test('what a process finishes after two upgrades is in the chain all the same', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (received, response) => {
    if (received.url === '/slow') finish = () => response.end('late')
    else response.end('ok')
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first'), ['first'], 'evidence { file "evidence.jsonl" }'))
  const pending = request(sentinel.port(), '/slow', { headers: scripted({ request: { do: 'flag' } }) })
  await eventually('the request arrived', () => finish !== undefined)
  const exited = once(sentinel.process, 'exit')
  const second = await upgraded(t, sentinel)
  const seen = sentinel.log.length
  process.kill(second, 'SIGUSR2')
  const third = (await sentinel.logged((one) => one.event === 'upgraded' && sentinel.log.indexOf(one) >= seen))['successor'] as number
  t.after(() => { if (isRunning(third)) process.kill(third, 'SIGTERM') })
  await wait(1_000)
  finish!()
  assert.equal((await pending).text, 'late')
  assert.deepEqual(await exited, [0, null])
  await eventually('the second process ends', () => !isRunning(second))
  process.kill(third, 'SIGTERM')
  await eventually('the third process ends', () => !isRunning(third))
  const file = join(sentinel.folder, 'evidence.jsonl')
  assert.equal((await runSentinel(['evidence', 'verify', file])).code, 0)
  assert.equal(readFileSync(file, 'utf8').trim().split('\n').filter((line) => (JSON.parse(line) as { kind: string }).kind === 'decision').length, 1)
})
