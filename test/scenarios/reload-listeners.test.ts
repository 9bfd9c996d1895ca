import assert from 'node:assert/strict'
import { chmodSync, existsSync, statSync } from 'node:fs'
import { Agent, request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { makeCertificate } from '../support/certificates.ts'
import { folderWith } from '../support/folder.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { shake } from '../support/tls-client.ts'
import { deadPort } from '../support/upstream.ts'

const site = (upstream: number, listeners: string, more = '', metrics = 'address "127.0.0.1:0"'): string => `
listeners { ${listeners} }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${upstream}" } }
observability { metrics { ${metrics} } }
${more}`

async function reloaded (sentinel: RunningSentinel, kdl: string): Promise<void> {
  const record = await sentinel.reload(kdl)
  assert.equal(record.event, 'reloaded', record.msg)
}

/** A connection that is kept, and the answers that came over it. */
function kept (t: TestContext, port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const localPorts = new Set<number>()
  const get = (headers: Record<string, string> = {}) => new Promise<{ status: number, connection: string | undefined }>((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1', agent, headers }, (response) => {
      response.resume()
      response.on('end', () => resolve({ status: response.statusCode!, connection: response.headers.connection }))
    }).on('socket', (socket) => {
      const note = (): void => { localPorts.add(socket.localPort!) }
      if (socket.connecting) socket.once('connect', note)
      else note()
    }).on('error', reject).end()
  })
  return { get, localPorts }
}

test('settings of a listener are taken over by the connections that it has', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const listener = (settings: string) => site(upstream.port, `listener "web" { address "127.0.0.1:0"; ${settings} }`)
  const sentinel = await startSentinel(t, listener(''))
  const client = kept(t, sentinel.port())
  assert.equal((await client.get({ 'x-long': 'a'.repeat(2_000) })).status, 200)
  await reloaded(sentinel, `${listener('')}\nlimits { max-header-value-size "1KiB" }`)
  assert.equal((await client.get()).status, 200)
  assert.equal(client.localPorts.size, 1, 'the connection stayed')
  assert.equal((await client.get({ 'x-long': 'a'.repeat(2_000) })).status, 431, 'and obeys the new limit')
  await reloaded(sentinel, listener('keepalive-max-requests 1'))
  assert.equal((await client.get()).connection, 'close')
  await reloaded(sentinel, listener('keepalive-timeout "200ms"'))
  const idle = connect(sentinel.port(), '127.0.0.1')
  idle.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  idle.resume()
  const startedMs = performance.now()
  await new Promise((resolve) => idle.once('close', resolve))
  assert.ok(performance.now() - startedMs < 50_000, 'not the 75 seconds of before')
})

test('another address is opened before the one it replaces is closed; a taken one changes nothing', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const [one, two] = [await deadPort(), await deadPort()]
  const at = (port: number) => site(upstream.port, `listener "web" { address "127.0.0.1:${port}" }`)
  const sentinel = await startSentinel(t, at(one))
  const refused = await sentinel.reload(at(upstream.port))
  assert.equal(refused.event, 'reload-failed')
  assert.match(refused.msg!, /listener 'web' cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE/)
  assert.equal((await request(one, '/')).text, 'ok')
  await reloaded(sentinel, at(two))
  assert.equal((await request(two, '/')).text, 'ok')
  await assert.rejects(request(one, '/'), /ECONNREFUSED/)
  await reloaded(sentinel, site(upstream.port, `listener "web" { address "0.0.0.0:${two}" }`))
  assert.equal((await request(two, '/')).text, 'ok', 'all addresses of a port after one of them')
})

test('a request that is open when its address goes away is answered', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (_, response) => { finish = () => response.end('in the end') })
  const [one, two] = [await deadPort(), await deadPort()]
  const at = (port: number) => site(upstream.port, `listener "web" { address "127.0.0.1:${port}" }`)
  const sentinel = await startSentinel(t, at(one))
  const pending = request(one, '/')
  while (finish === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
  await reloaded(sentinel, at(two))
  finish()
  const answer = await pending
  assert.equal(answer.text, 'in the end')
  assert.equal(answer.headers['connection'], 'close')
})

test('two listeners swap their addresses, and no connection is refused meanwhile', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const [one, two] = [await deadPort(), await deadPort()]
  const kdl = (a: number, b: number) => site(upstream.port, `
    listener "a" { address "127.0.0.1:${a}" }
    listener "b" { address "127.0.0.1:${b}"; keepalive-max-requests 1 }`)
  const sentinel = await startSentinel(t, kdl(one, two))
  let running = true
  const outcomes: number[] = []
  const traffic = (async () => { while (running) for (const port of [one, two]) outcomes.push((await request(port, '/')).status) })()
  for (let i = 0; i < 6; i++) await reloaded(sentinel, i % 2 === 0 ? kdl(two, one) : kdl(one, two))
  await reloaded(sentinel, kdl(two, one))
  running = false
  await traffic
  assert.deepEqual([...new Set(outcomes)], [200], `${outcomes.length} requests`)
  assert.equal((await kept(t, one).get()).connection, 'close', "b's settings are where b is")
  assert.notEqual((await kept(t, two).get()).connection, 'close')
})

test('an address changes between plain and TLS, and to client certificates, without another socket', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const port = await deadPort()
  const certificates = folderWith(t)
  makeCertificate(certificates, 'site')
  const kdl = (more: string) => site(upstream.port, `listener "web" { address "127.0.0.1:${port}"; ${more} }`)
  const tls = (more = '') => kdl(`tls { cert-file "${certificates}/site.pem"; key-file "${certificates}/site.key"; ${more} }`)
  const sentinel = await startSentinel(t, kdl(''))
  const plain = connect(port, '127.0.0.1')
  await new Promise((resolve) => plain.once('connect', resolve))
  plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await new Promise((resolve) => plain.once('data', resolve))
  const ended = new Promise((resolve) => plain.once('close', resolve))
  plain.resume()
  await reloaded(sentinel, tls())
  await ended // A connection that may not be what the listener now asks for is not kept.
  assert.match((await shake(port)).answer, /^HTTP\/1\.1 200/)
  await reloaded(sentinel, tls(`client-auth #true; ca-file "${certificates}/site.pem"`))
  await assert.rejects(shake(port))
  await reloaded(sentinel, tls())
  assert.match((await shake(port)).answer, /^HTTP\/1\.1 200/)
  await reloaded(sentinel, kdl(''))
  assert.equal((await request(port, '/')).text, 'ok')
  const broken = await sentinel.reload(tls('min-version "1.3"; cipher-suites "NO-SUCH-SUITE"'))
  assert.equal(broken.event, 'reload-failed')
  assert.equal((await request(port, '/')).text, 'ok')
})

test('the address and the path of the metrics change, and a taken address changes nothing', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const [one, two] = [await deadPort(), await deadPort()]
  const at = (metrics: string) => site(upstream.port, 'listener "web" { address "127.0.0.1:0" }', '', metrics)
  const sentinel = await startSentinel(t, at(`address "127.0.0.1:${one}"`))
  await reloaded(sentinel, at(`address "127.0.0.1:${one}"; path "/figures"`))
  assert.match((await request(one, '/figures')).text, /sentinel_build_info|sentinel_/)
  assert.equal((await request(one, '/metrics')).status, 404)
  await reloaded(sentinel, at(`address "127.0.0.1:${two}"`))
  assert.equal((await request(two, '/metrics')).status, 200)
  await assert.rejects(request(one, '/metrics'), /ECONNREFUSED/)
  const refused = await sentinel.reload(at(`address "127.0.0.1:${upstream.port}"`))
  assert.equal(refused.event, 'reload-failed')
  assert.equal((await request(two, '/ready')).status, 200)
  await reloaded(sentinel, at('enabled #false'))
  await assert.rejects(request(two, '/metrics'), /ECONNREFUSED/)
  await reloaded(sentinel, at(`address "127.0.0.1:${two}"`))
  assert.equal((await request(two, '/metrics')).status, 200)
})

test('backlog, and who may use the file of a Unix socket, change while it is served', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const path = join(folderWith(t), 'web.sock')
  const kdl = (more: string) => site(upstream.port, `listener "web" { address "unix:${path}"; ${more} }`)
  const sentinel = await startSentinel(t, kdl(''))
  const inode = statSync(path).ino
  await reloaded(sentinel, kdl('socket-mode "0600"; backlog 7'))
  assert.equal(statSync(path).mode & 0o777, 0o600)
  assert.equal(statSync(path).ino, inode)
  chmodSync(path, 0o660)
  await sentinel.stop()
  assert.equal(existsSync(path), false)
})

test('the format of the log changes', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const kdl = (format: string) => site(upstream.port, 'listener "web" { address "127.0.0.1:0" }').replace('observability {', `observability { logging { format "${format}" }; `)
  const sentinel = await startSentinel(t, kdl('json'))
  const before = sentinel.log.length
  const { writeFileSync } = await import('node:fs')
  writeFileSync(sentinel.file, kdl('pretty'))
  sentinel.process.kill('SIGHUP')
  const line = await sentinel.logged((record) => sentinel.log.indexOf(record) >= before && record.level === 0)
  assert.match(line.msg!, /configuration taken over/)
})
