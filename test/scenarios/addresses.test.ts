import assert from 'node:assert/strict'
import http, { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { test, type TestContext } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { canReusePort } from '../../config/sentinel/listener-socket.ts'
import { plainAddress } from '../../proxy/listeners/peer.ts'
import { eventually } from '../support/eventually.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'
import { deadPort } from '../support/upstream.ts'

const hasIPv6 = Object.values(networkInterfaces()).flat().some((one) => one?.address === '::1')
const v6 = hasIPv6 ? {} : { skip: 'there is no ::1 on this machine' }

function file (listeners: string, target: string, more = ''): string {
  return `listeners { ${listeners} }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "${target}" } }
observability { metrics { address "127.0.0.1:0" } }
${more}`
}

function ask (host: string, port: number, path: string, headers: Record<string, string> = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http.get({ host, port, path, headers: { host: 'a.test', ...headers }, agent: false }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode))
    }).on('error', reject)
  })
}

function problemsOf (listeners: string): string[] {
  return checkText(file(listeners, '127.0.0.1:9'), 'sentinel.kdl', { env: {} }).problems.filter(({ severity }) => severity === 'error')
    .map(({ message, hint }) => `${message}; ${hint ?? ''}`)
}

test('[::] takes clients of both families, IPv4 ones under their own address', v6, async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file('listener "web" { address "[::]:0"; trusted-proxies "::1" }', `127.0.0.1:${upstream.port}`))
  assert.equal(await ask('127.0.0.1', sentinel.port(), '/four'), 200)
  assert.equal(await ask('::1', sentinel.port(), '/six', { 'X-Forwarded-For': '2001:db8::9, ::1' }), 200)
  assert.equal((await sentinel.accessed(({ path }) => path === '/four')).client_ip, '127.0.0.1')
  assert.equal((await sentinel.accessed(({ path }) => path === '/six')).client_ip, '2001:db8::9')
  assert.deepEqual(upstream.requests.map(({ headers }) => headers['x-forwarded-for']), ['127.0.0.1', '2001:db8::9, ::1, ::1'])
})

test('with ipv6-only [::] takes IPv6 clients, and 0.0.0.0 may have the same port', v6, async (t) => {
  const upstream = await startRecordingUpstream(t)
  const port = await deadPort()
  const both = `listener "four" { address "0.0.0.0:${port}" }; listener "six" { address "[::]:${port}"; ipv6-only #true }`
  const sentinel = await startSentinel(t, file(both, `127.0.0.1:${upstream.port}`))
  assert.deepEqual([await ask('127.0.0.1', port, '/four'), await ask('::1', port, '/six')], [200, 200])
  assert.equal((await sentinel.accessed(({ path }) => path === '/four'))['listener'], 'four')
  assert.equal((await sentinel.accessed(({ path }) => path === '/six'))['listener'], 'six')
  const alone = await startSentinel(t, file('listener "web" { address "[::]:0"; ipv6-only #true }', `127.0.0.1:${upstream.port}`))
  await assert.rejects(ask('127.0.0.1', alone.port(), '/'), /ECONNREFUSED/)
  assert.equal(await ask('::1', alone.port(), '/'), 200)
})

test('addresses that take each other\'s place are found before they are bound', () => {
  const two = (one: string, other: string): string[] => problemsOf(`listener "one" { address ${one} }; listener "other" { address ${other} }`)
  assert.match(two('"0.0.0.0:80"', '"[::]:80"')[0] ?? '', /listener 'other' has the address of listener 'one'; write ipv6-only #true/)
  assert.match(two('"[::]:80"', '"127.0.0.1:80"')[0] ?? '', /write ipv6-only #true/)
  assert.match(two('"0.0.0.0:80"', '"127.0.0.1:80"')[0] ?? '', /has the address/)
  assert.deepEqual(two('"0.0.0.0:80"', '"[::]:80"; ipv6-only #true'), [])
  assert.deepEqual(two('"0.0.0.0:80"', '"[::1]:80"'), [])
  assert.deepEqual(two('"[::]:80"; ipv6-only #true', '"[::1]:80"').length, 1)
  assert.match(problemsOf('listener "web" { address "127.0.0.1:80"; ipv6-only #true }')[0] ?? '', /for IPv6 addresses/)
})

test('a target by its IPv6 address is asked there', v6, async (t) => {
  const app = createServer((_, response) => response.end('six'))
  await new Promise<void>((resolve) => app.listen(0, '::1', resolve))
  t.after(() => app.close())
  const { port } = app.address() as AddressInfo
  const sentinel = await startSentinel(t, file('listener "web" { address "[::1]:0" }', `[::1]:${port}`))
  assert.equal(await ask('::1', sentinel.port(), '/six'), 200)
  assert.equal((await sentinel.accessed(({ path }) => path === '/six'))['target'], `[::1]:${port}`)
})

test('addresses are told plainly: no zone, no IPv6 form of IPv4', () => {
  assert.deepEqual(['::ffff:192.0.2.7', 'fe80::1%eth0', '2001:db8::7', '192.0.2.7', ''].map(plainAddress), ['192.0.2.7', 'fe80::1', '2001:db8::7', '192.0.2.7', ''])
  assert.deepEqual(problemsOf('listener "web" { address "[fe80::1%eth0]:80" }'), [])
})

test('reuse-port is an error where the runtime would ignore it, and shares a port where it does not', async (t) => {
  const shared = canReusePort(process.versions.node)
  assert.deepEqual(['20.20.2', '22.11.0', '22.12.0', '23.0.0', '23.1.0', '24.0.0'].map(canReusePort), [false, false, true, false, true, true])
  if (!shared) {
    const [problem = ''] = problemsOf('listener "web" { address "127.0.0.1:80"; reuse-port #true }')
    return assert.ok(problem.includes(`'reuse-port' of listener 'web' needs Node.js 22.12, 23.1 or newer; this is ${process.versions.node}`), problem)
  }
  const upstream = await startRecordingUpstream(t)
  const text = file(`listener "web" { address "127.0.0.1:${await deadPort()}"; reuse-port #true }`, `127.0.0.1:${upstream.port}`)
  const [one, two] = [await startSentinel(t, text), await startSentinel(t, text)]
  assert.equal(one.port(), two.port())
  await eventually('each of them gets something', async () => {
    await ask('127.0.0.1', one.port(), '/')
    return one.access.length > 0 && two.access.length > 0
  })
})

/** How many of ten connections are made while the program does not accept any; looked at when so many are, and no more come. */
async function madeWhileStopped (t: TestContext, listener: string, least: number): Promise<number> {
  const sentinel = await startSentinel(t, file(`listener "web" { address "127.0.0.1:0"; ${listener} }`, '127.0.0.1:9'))
  sentinel.process.kill('SIGSTOP')
  let made = 0
  const sockets = Array.from({ length: 10 }, () => connect(sentinel.port(), '127.0.0.1').on('connect', () => made++).on('error', () => {}))
  await eventually('as many as fit are made', () => made >= least)
  await new Promise((resolve) => setTimeout(resolve, 400))
  for (const socket of sockets) socket.destroy()
  sentinel.process.kill('SIGCONT')
  return made
}

test('backlog says how many connections may wait to be accepted', async (t) => {
  assert.ok(await madeWhileStopped(t, 'backlog 1', 1) <= 3)
  assert.equal(await madeWhileStopped(t, '', 10), 10)
})
