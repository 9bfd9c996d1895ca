import assert from 'node:assert/strict'
import { connect } from 'node:net'
import test from 'node:test'
import type { TestContext } from 'node:test'
import { createAdmin } from '../../../proxy/admin/admin.ts'
import type { AdminOptions } from '../../../proxy/admin/admin.ts'
import { isHostAllowed } from '../../../proxy/admin/host-check.ts'
import type { StatusJson } from '../../../proxy/admin/status.ts'

const status: StatusJson = {
  version: '1.2.3', node: 'v20', pid: 1, uptime_s: 1, state: 'running', config: { file: 'sentinel.kdl', version: 'abc', loaded_at: '2026-01-01T00:00:00Z' },
  listeners: [], routes: [], upstreams: [], agents: [],
}

async function start (t: TestContext, change: Partial<AdminOptions> = {}): Promise<{ port: number, said: string[] }> {
  const said: string[] = []
  const say = (message: string): void => void said.push(message)
  const admin = createAdmin({
    host: '127.0.0.1', port: 0, metrics: () => ({ type: 'text/plain; version=0.0.4', body: 'm 1\n' }), status: () => status,
    ready: () => true, log: { warn: say, error: say }, ...change,
  })
  const { port } = await admin.listen()
  t.after(() => admin.close())
  return { port, said }
}

/** Status line and body of a raw request: fetch would not send what a browser under attack sends. */
function raw (port: number, request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => socket.end(request.replaceAll('\n', '\r\n')))
    socket.on('data', (chunk: Buffer) => { got += chunk.toString() }).on('end', () => resolve(got)).on('error', reject)
  })
}

test('it serves metrics, health, readiness and status, and nothing else', async (t) => {
  let ready = false
  const { port } = await start(t, { ready: () => ready })
  const get = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${port}${path}`, { method })
  const metrics = await get('/metrics')
  assert.equal(metrics.headers.get('content-type'), 'text/plain; version=0.0.4')
  assert.equal(await metrics.text(), 'm 1\n')
  assert.equal((await get('/health')).status, 200)
  assert.equal((await get('/ready')).status, 503)
  ready = true
  assert.equal((await get('/ready')).status, 200)
  assert.deepEqual(await (await get('/status?x=1')).json(), status)
  assert.equal((await get('/admin')).status, 404)
  assert.equal((await get('/metrics', 'POST')).status, 405)
  assert.equal(await (await get('/metrics', 'HEAD')).text(), '')
})

test('a name that a stranger may own is refused, so that no web page can read it by DNS rebinding', async (t) => {
  const { port } = await start(t)
  assert.match(await raw(port, `GET /status HTTP/1.1\nHost: evil.example:${port}\nConnection: close\n\n`), /^HTTP\/1\.1 421 /)
  assert.match(await raw(port, `GET /status HTTP/1.1\nHost: localhost:${port}\nConnection: close\n\n`), /^HTTP\/1\.1 200 /)
})

test('which names are allowed', () => {
  const here = { configured: ['proxy.corp.example'], loopback: true }
  for (const host of [undefined, '127.0.0.1:9090', '[::1]:9090', 'LOCALHOST', 'a.localhost', 'proxy.corp.example:1', '10.1.2.3']) {
    assert.equal(isHostAllowed(host, here), true, host)
  }
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'sentinel', '', 'a@127.0.0.1', '127.0.0.1/x', '[evil.example]']) {
    assert.equal(isHostAllowed(host, here), false, host)
  }
  assert.equal(isHostAllowed('sentinel:9090', { configured: [], loopback: false }), true, 'a container\'s name, when others may ask')
  assert.equal(isHostAllowed('evil.example', { configured: [], loopback: false }), false)
})

test('an address in use is an error that names the setting', async (t) => {
  const { port } = await start(t)
  await assert.rejects(start(t, { port }), (error: Error) => {
    assert.match(error.message, new RegExp(`127\\.0\\.0\\.1:${port}; .*observability \\{ metrics \\{ address`))
    assert.equal('code' in error && error.code, 'ADMIN_ADDRESS_IN_USE')
    return true
  })
})

test('an address that others can reach is warned of', async (t) => {
  assert.deepEqual((await start(t)).said, [])
  assert.equal((await start(t, { host: '0.0.0.0' })).said.length, 1)
})

test('a page that fails is a 500 and a log record, not the end of the server', async (t) => {
  const { port, said } = await start(t, { status: () => { throw new Error('secret detail') } })
  const answer = await fetch(`http://127.0.0.1:${port}/status`)
  assert.equal(answer.status, 500)
  assert.ok(!(await answer.text()).includes('secret'))
  assert.equal(said.length, 1)
  assert.equal((await fetch(`http://127.0.0.1:${port}/health`)).status, 200)
})

test('garbage and bodies are answered and the connection ends', async (t) => {
  const { port } = await start(t)
  assert.match(await raw(port, 'garbage\n\n'), /^HTTP\/1\.1 400 /)
  assert.match(await raw(port, 'GET /health HTTP/1.1\nHost: localhost\nContent-Length: 5\n\nhello'), /^HTTP\/1\.1 200 [\s\S]*connection: close/i)
})
