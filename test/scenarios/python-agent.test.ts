import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { fromRoot } from '../support/paths.ts'
import { missingForPython, python } from '../support/python.ts'
import { eventually } from '../support/running-service.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'

describe('an agent in Python, made from agent.proto alone', { skip: missingForPython() ?? false }, () => {
  test('passes the conformance checks, is called by hand, refuses a wrong configuration with its place, and stops as it should', async (t) => {
    const socket = join(folderWith(t), 'agent.sock')
    const child = spawn(python, [fromRoot('examples', 'python-agent', 'agent.py')], { env: { PATH: process.env['PATH'], SENTINEL_SOCKET: socket }, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
    const ended = new Promise<number | null>((resolve) => { child.on('exit', resolve) })
    t.after(() => child.kill('SIGKILL'))
    await eventually(() => existsSync(socket) ? true : undefined, `its socket (${said})`)
    assert.equal(statSync(socket).mode & 0o077, 0)
    const call = (...args: string[]): ReturnType<typeof runSentinel> => runSentinel(['agent', 'call', `unix:${socket}`, ...args])
    const wrong = await call('--config', '{"marc":"x","blocked":"forbidden"}')
    assert.match(wrong.stdout, /configuration refused: marc: there is no such setting \(there are: mark, blocked\)\nconfiguration refused: blocked: paths are expected/)
    assert.match((await call('--config', JSON.stringify({ mark: 'a\r\nb: c' }))).stdout, /configuration refused: mark: a text is expected that can stand in a header field/)
    const blocked = await call('--config', '{"mark":"hi","blocked":["/no"]}', '--request', 'GET /no')
    assert.match(blocked.stdout, /GET \/no {2}block 403 \(blocked_path; \/no\)/)
    // It keeps the configuration that it was given.
    assert.match((await call('--request', 'GET /yes')).stdout, /allow[^]*request_headers: action=set name=x-python value=hi/)
    const { code, stdout } = await runSentinel(['agent', 'conformance', `unix:${socket}`, '--stop-pid', String(child.pid)])
    assert.equal(code, 0, stdout + said)
    assert.match(stdout, /21 passed, 0 failed, 5 not applicable/)
    assert.equal(await ended, 0)
  })

  test('that is asked nothing for a long time keeps its connection: servers of gRPC end those with too many PINGs', async (t) => {
    const upstream = await startRecordingUpstream(t)
    const sentinel = await startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app"; filters "python" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream.port}" } }
agents { agent "python" { command "${python}" "${fromRoot('examples', 'python-agent', 'agent.py')}"; timeout "60s"; http2 { keep-alive-timeout "60s"; keep-alive-interval "50ms" } } }
observability { metrics { enabled #false } }`)
    assert.equal((await sentinel.get('/')).status, 200)
    await new Promise((resolve) => { setTimeout(resolve, 2_000) })
    assert.deepEqual(sentinel.log.filter(({ event }) => event === 'agent-state'), [])
    assert.equal((await sentinel.get('/')).status, 200)
  })

  test('as a proxy runs it, it ends without complaint when it is told to, and when its standard input closes', async (t) => {
    for (const stop of ['SIGTERM', 'end'] as const) {
      const socket = join(folderWith(t), 'agent.sock')
      const env = { PATH: process.env['PATH'], SENTINEL_SOCKET: socket, SENTINEL_MANAGED: '1' }
      const child = spawn(python, [fromRoot('examples', 'python-agent', 'agent.py')], { env, stdio: ['pipe', 'pipe', 'pipe'] })
      t.after(() => child.kill('SIGKILL'))
      let said = ''
      child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString() })
      const ended = new Promise<unknown>((resolve) => { child.on('exit', (code, signal) => resolve(code ?? signal)) })
      await new Promise((resolve) => { child.stdout.once('data', resolve) })
      if (stop === 'end') child.stdin.end()
      else child.kill(stop)
      assert.deepEqual([stop, await ended, said], [stop, 0, ''])
    }
  })
})
