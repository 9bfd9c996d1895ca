import { strict as assert } from 'node:assert'
import { test } from 'node:test'
import { BadOptions, readOptions } from '../../../sdk/server/options.ts'

function endpoint (args: string[], env: Record<string, string> = {}) {
  const command = readOptions(args, env)
  assert.ok(command.kind === 'serve')
  return command.options.endpoint
}

test('flags win over the environment', () => {
  assert.deepEqual(endpoint([], { SENTINEL_SOCKET: '/a' }), { kind: 'unix', path: '/a' })
  assert.deepEqual(endpoint(['--socket', '/b'], { SENTINEL_SOCKET: '/a' }), { kind: 'unix', path: '/b' })
  assert.deepEqual(endpoint(['--listen', '127.0.0.1:0']), { kind: 'tcp', host: '127.0.0.1', port: 0, tls: undefined })
  assert.deepEqual(endpoint(['--listen', '[::1]:50051']), { kind: 'tcp', host: '::1', port: 50051, tls: undefined })
  assert.deepEqual(endpoint(['--listen', 'localhost:1', '--tls-cert', 'c', '--tls-key', 'k']), {
    kind: 'tcp', host: 'localhost', port: 1, tls: { cert: 'c', key: 'k', clientCa: undefined },
  })
})

test('an agent that connects to the proxy says who it is, and speaks TLS with all that is not on this machine', () => {
  const target = (args: string[], env: Record<string, string> = {}) => {
    const found = endpoint(['--agent-id', 'far', ...args], env)
    assert.ok(found.kind === 'connect')
    const { token, ...rest } = found.target
    return { ...rest, token: token() }
  }
  const noTls = { ca: undefined, cert: undefined, key: undefined, serverName: undefined }
  assert.deepEqual(target(['--connect', 'unix:/run/agents.sock']), { to: { path: '/run/agents.sock' }, tls: undefined, agent: 'far', token: undefined })
  assert.deepEqual(target(['--connect', 'tcp:127.0.0.1:9443'], { SENTINEL_CONNECT_TOKEN: 'secret' }), { to: { host: '127.0.0.1', port: 9443 }, tls: undefined, agent: 'far', token: 'secret' })
  assert.deepEqual(target(['--connect', 'tcp:proxy.test:9443']).tls, noTls)
  assert.deepEqual(target(['--connect', 'tcp:[2001:db8::1]:9443']).to, { host: '2001:db8::1', port: 9443 })
  assert.deepEqual(target(['--connect', 'tcp:localhost:9443', '--tls-ca', 'ca.pem']).tls, { ...noTls, ca: 'ca.pem' })
  for (const args of [['--connect', 'tcp:proxy.test'], ['--connect', 'proxy.test:1'], ['--connect', 'tcp:a:0'], ['--connect', 'unix:relative'], ['--connect', 'unix:/a', '--tls-ca', 'x'],
    ['--connect', 'tcp:a:1', '--tls-cert', 'x'], ['--connect', 'tcp:a:1', '--socket', '/a']]) {
    assert.throws(() => endpoint(['--agent-id', 'far', ...args]), BadOptions, args.join(' '))
  }
  assert.throws(() => endpoint(['--connect', 'unix:/a']), /--agent-id/)
  assert.throws(() => endpoint(['--connect', 'unix:/a', '--connect-token', 'secret']), BadOptions, 'no token on the command line')
})

test('the rest has defaults and is checked', () => {
  const command = readOptions(['--socket', '/a'], { SENTINEL_MANAGED: '1', SENTINEL_AGENT_ID: 'waf', SENTINEL_LOG_LEVEL: 'debug', SENTINEL_DRAIN_TIMEOUT: '250ms' })
  assert.deepEqual(command, {
    kind: 'serve', options: { endpoint: { kind: 'unix', path: '/a' }, logLevel: 'debug', drainTimeoutMs: 250, store: 'memory', workers: undefined, agentId: 'waf', managed: true },
  })
  const more = readOptions(['--socket', '/a', '--workers', '0'], { SENTINEL_STORE: 'rediss://user:secret@redis.test:6380/2' })
  assert.deepEqual(more.kind === 'serve' && [more.options.store, more.options.workers], ['rediss://user:secret@redis.test:6380/2', 0])
})

test('what cannot be served safely, or not at all, is refused', () => {
  const refused: [args: string[], why: RegExp][] = [
    [[], /either --socket PATH or --listen/],
    [['--socket', '/a', '--listen', '127.0.0.1:1'], /either/],
    [['--listen', '0.0.0.0:1'], /can be reached from elsewhere/],
    [['--listen', '[::]:1'], /can be reached from elsewhere/],
    [['--listen', '127.0.0.1.evil.test:1'], /can be reached from elsewhere/],
    [['--listen', '10.0.0.1:1', '--tls-cert', 'c', '--tls-key', 'k'], /--tls-client-ca/],
    [['--listen', '127.0.0.1:1', '--tls-cert', 'c'], /both/],
    [['--listen', '127.0.0.1'], /HOST:PORT/],
    [['--listen', '127.0.0.1:99999'], /HOST:PORT/],
    [['--socket', '/a', '--tls-cert', 'c', '--tls-key', 'k'], /TLS is for --listen/],
    [['--socket', '/' + 'a'.repeat(110)], /longer than/],
    [['--socket', '/a', '--log-level', 'loud'], /--log-level/],
    [['--socket', '/a', '--drain-timeout', 'soon'], /--drain-timeout/],
    [['--socket', '/a', 'more'], /more/],
    [['--socket', '/a', '--store', 'http://redis.test'], /--store/],
    [['--socket', '/a', '--store', 'redis://:secret@/'], /^(?!.*secret).*--store/],
    [['--socket', '/a', '--store', 'redis://h?db=1'], /--store/],
    [['--socket', '/a', '--workers', '-1'], /--workers/],
    [['--socket', '/a', '--workers', '257'], /--workers/],
  ]
  for (const [args, why] of refused) assert.throws(() => readOptions(args, {}), (error) => error instanceof BadOptions && why.test(error.message), args.join(' '))
})
