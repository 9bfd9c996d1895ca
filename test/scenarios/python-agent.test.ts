import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { folderWith } from '../support/folder.ts'
import { fromRoot } from '../support/paths.ts'
import { missingForPython, python } from '../support/python.ts'
import { eventually } from '../support/running-service.ts'
import { runSentinel } from '../support/sentinel.ts'

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
    const blocked = await call('--config', '{"mark":"hi","blocked":["/no"]}', '--request', 'GET /no')
    assert.match(blocked.stdout, /GET \/no {2}block 403 \(blocked_path; \/no\)/)
    // It keeps the configuration that it was given.
    assert.match((await call('--request', 'GET /yes')).stdout, /allow[^]*request_headers: action=set name=x-python value=hi/)
    const { code, stdout } = await runSentinel(['agent', 'conformance', `unix:${socket}`, '--stop-pid', String(child.pid)])
    assert.equal(code, 0, stdout + said)
    assert.match(stdout, /21 passed, 0 failed, 5 not applicable/)
    assert.equal(await ended, 0)
  })
})
