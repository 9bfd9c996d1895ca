import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { makeAuthority } from '../support/authority.ts'
import { folderWith } from '../support/folder.ts'
import { request } from '../support/request.ts'
import { scripted, scriptedAgent } from '../support/scripted-agent.ts'
import { runSentinel, startSentinel } from '../support/sentinel.ts'
import { shake } from '../support/tls-client.ts'
import { answering, bothTakePart, kdl, opened } from '../support/two-workers.ts'
import { httpUpstream } from '../support/upstream.ts'
import { echoServer } from '../support/websocket.ts'
import { eventually, isAlive, startTraffic, workersOf } from '../support/workers.ts'

/** An application that takes so long for each request, and knows how many it had at a time. */
async function countingUpstream (t: TestContext, ms: number): Promise<{ readonly port: number, readonly most: () => number }> {
  let now = 0
  let most = 0
  const { port } = await httpUpstream(t, (_message, response) => {
    most = Math.max(most, ++now)
    setTimeout(() => {
      now--
      response.end('served')
    }, ms)
  })
  return { port, most: () => most }
}

test('two workers serve on one port, as one program to those who look', async (t) => {
  const upstream = await answering(t)
  const sentinel = await startSentinel(t, kdl(upstream.port))
  const workers = await bothTakePart(sentinel, t)
  assert.equal(workers.length, 2)
  assert.ok(workers.every(({ pid }) => isAlive(pid) && pid !== sentinel.pid))
  assert.equal((await sentinel.get('/')).text, 'served')
  assert.match(await sentinel.metrics(), /^sentinel_workers 2$/m)
  // The sum and its parts are asked for one after the other, and connections come and go.
  await eventually(async () => {
    const status = JSON.parse((await request(sentinel.metricsPort(), '/status')).text) as { listeners: Array<{ connections: number }> }
    return status.listeners[0]!.connections - (await workersOf(sentinel)).reduce((sum, { connections }) => sum + connections, 0)
  }, (difference) => difference === 0)
})

test('under load, a worker that is killed cuts what it had open, and nothing else fails', async (t) => {
  const clients = 16
  const upstream = await answering(t, 'served', 2)
  const sentinel = await startSentinel(t, kdl(upstream.port))
  const traffic = startTraffic(sentinel.port(), clients)
  for (let kill = 1; kill <= 3; kill++) {
    const enough = traffic.statuses.length + 200
    await eventually(() => traffic.statuses.length, (count) => count > enough)
    const workers = await eventually(() => workersOf(sentinel), (all) => all.every(({ state }) => state === 'serving'))
    process.kill(workers[kill % 2]!.pid, 'SIGKILL')
    await eventually(() => sentinel.log.filter(({ event }) => event === 'worker-replaced').length, (count) => count === kill)
  }
  await traffic.stop()
  assert.deepEqual([...new Set(traffic.statuses)], [200])
  assert.ok(traffic.cut <= 3 * clients, `${traffic.cut} exchanges were cut`)
})

test('limits of connections hold for all workers together, and every place can be used', async (t) => {
  const upstream = await answering(t)
  for (const [what, given] of [
    ['system max-connections', { system: 'max-connections 10' }],
    ['max-total-connections of a listener', { more: 'limits { max-total-connections 10 }' }],
    ['connections of one client', { more: 'limits { max-connections-per-client 10 }' }],
  ] as const) {
    const sentinel = await startSentinel(t, kdl(upstream.port, given))
    const { sockets, open } = await opened(t, sentinel.port(), 40)
    await eventually(open, (count) => count === 10).catch((error: unknown) => assert.fail(`${what}: ${String(error)}`))
    await delay(100)
    assert.equal(open(), 10, what)
    const left = sockets.filter(({ destroyed }) => !destroyed).slice(0, 4)
    for (const socket of left) socket.destroy()
    await eventually(async () => {
      await opened(t, sentinel.port(), 4)
      return (await workersOf(sentinel)).reduce((sum, { connections }) => sum + connections, 0)
    }, (count) => count === 10)
    await sentinel.stop()
  }
})

test('requests in flight are limited for all workers together', async (t) => {
  const upstream = await countingUpstream(t, 30)
  const sentinel = await startSentinel(t, kdl(upstream.port, { more: 'limits { max-in-flight-requests 6 }' }))
  const traffic = startTraffic(sentinel.port(), 30)
  await eventually(() => traffic.statuses.filter((status) => status === 200).length, (count) => count > 60)
  await traffic.stop()
  assert.deepEqual([...new Set(traffic.statuses)].sort(), [200, 503])
  assert.ok(upstream.most() <= 6, `${upstream.most()} at a time`)
})

test('WebSockets of a route are limited for all workers together, and every place can be used', async (t) => {
  const upstream = await echoServer(t)
  const sentinel = await startSentinel(t, kdl(upstream.port, { route: 'websocket { max-connections 4 }' }))
  await bothTakePart(sentinel, t)
  const open = (): Promise<WebSocket | undefined> => new Promise((resolve) => {
    const socket = new WebSocket(`ws://127.0.0.1:${sentinel.port()}/`)
    socket.once('open', () => resolve(socket))
    socket.once('error', () => resolve(undefined))
    t.after(() => socket.terminate())
  })
  const sockets = (await Promise.all(Array.from({ length: 12 }, open))).filter((socket) => socket !== undefined)
  assert.equal(sockets.length, 4)
  assert.match(await sentinel.metrics(), /^sentinel_open_tunnels\{route="all"\} 4$/m)
  for (const socket of sockets.slice(0, 2)) socket.terminate()
  let more = 0
  await eventually(async () => { more += await open() === undefined ? 0 : 1 }, () => more === 2)
  assert.equal(await open(), undefined)
})

test('a target has no more requests than it may from all workers together', async (t) => {
  const upstream = await countingUpstream(t, 300)
  const sentinel = await startSentinel(t, kdl(upstream.port).replace(`target "127.0.0.1:${upstream.port}"`, `target "127.0.0.1:${upstream.port}" max-requests=4`))
  await bothTakePart(sentinel, t)
  const answers = await Promise.all(Array.from({ length: 24 }, () => sentinel.get('/')))
  assert.ok(upstream.most() >= 2 && upstream.most() <= 4, `${upstream.most()} at a time`)
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200, 503]))
})

test('a reload reaches all workers, or none', async (t) => {
  const one = await answering(t, 'one')
  const two = await answering(t, 'two')
  const sentinel = await startSentinel(t, kdl(one.port))
  const texts = async (): Promise<string[]> => [...new Set(await Promise.all(Array.from({ length: 20 }, async () => (await sentinel.get('/')).text)))]
  assert.deepEqual(await texts(), ['one'])
  const traffic = startTraffic(sentinel.port(), 4)
  for (let i = 0; i < 5; i++) {
    assert.equal((await sentinel.reload(kdl(i % 2 === 0 ? two.port : one.port))).event, 'reloaded')
    assert.deepEqual(await texts(), [i % 2 === 0 ? 'two' : 'one'])
  }
  const refused = await sentinel.reload(kdl(one.port, { log: 'file "/proc/no/such/place"' }))
  assert.equal(refused.event, 'reload-failed')
  assert.deepEqual(await texts(), ['two'])
  const opensMore = kdl(one.port).replace('listeners {', 'listeners { listener "second" { address "127.0.0.1:0" };')
  assert.equal((await sentinel.reload(opensMore)).event, 'reloaded')
  const status = JSON.parse((await request(sentinel.metricsPort(), '/status')).text) as { listeners: Array<{ id: string, address: string }> }
  const second = Number(status.listeners.find(({ id }) => id === 'second')!.address.split(':')[1])
  assert.equal((await request(second, '/')).text, 'one')
  // A worker that comes later serves what runs now, on all listeners.
  for (const { pid } of await workersOf(sentinel)) process.kill(pid, 'SIGKILL')
  assert.equal((await request(second, '/')).text, 'one', 'a client who connects meanwhile waits')
  await traffic.stop()
  assert.equal((await sentinel.reload(kdl(two.port))).event, 'reloaded')
  await assert.rejects(request(second, '/'), /ECONNREFUSED/)
})

test('sessions of TLS are resumed by whichever worker a client meets', async (t) => {
  const site = makeAuthority('sites').issue('site', 'DNS:site.test')
  const folder = folderWith(t)
  copyFileSync(site.cert, join(folder, 'site.pem'))
  copyFileSync(site.key, join(folder, 'site.key'))
  const upstream = await answering(t)
  const sentinel = await startSentinel(t, kdl(upstream.port, { listener: `tls { cert-file "${folder}/site.pem"; key-file "${folder}/site.key" }` }))
  const { session } = await shake(sentinel.port(), { maxVersion: 'TLSv1.2' })
  // Those who have no worker of their own get one after the other: both are met.
  const resumed = await Promise.all(Array.from({ length: 20 }, () => shake(sentinel.port(), { maxVersion: 'TLSv1.2', session })))
  assert.deepEqual([...new Set(resumed.map((one) => one.resumed))], [true])
  for (const { pid } of await workersOf(sentinel)) process.kill(pid, 'SIGKILL')
  assert.equal((await shake(sentinel.port(), { maxVersion: 'TLSv1.2', session })).resumed, true, 'also by those that came later')
})

test('agents are one program for all workers, and what they decide becomes one chain of evidence', async (t) => {
  const upstream = await answering(t)
  const folder = folderWith(t)
  const file = join(folder, 'evidence.jsonl')
  const sentinel = await startSentinel(t, kdl(upstream.port, {
    route: 'filters "judge"', more: `agents { ${scriptedAgent('judge')} }\nevidence { file "${file}" }`,
  }))
  const block = scripted({ request: { do: 'block', status: 403 } })
  const statuses = await Promise.all(Array.from({ length: 40 }, async () => (await sentinel.get('/', { headers: block })).status))
  assert.deepEqual([...new Set(statuses)], [403])
  assert.equal(Object.keys(sentinel.agentPids()).length, 1)
  await sentinel.stop()
  const records = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as { kind: string })
  assert.equal(records.filter(({ kind }) => kind === 'decision').length, 40)
  assert.equal((await runSentinel(['evidence', 'verify', file])).code, 0)
})

test('all workers write whole lines to one access log, and to the new one after a rotation', async (t) => {
  const upstream = await answering(t)
  const folder = folderWith(t)
  const file = join(folder, 'access.log')
  const sentinel = await startSentinel(t, kdl(upstream.port, { log: `file "${file}"` }))
  const lines = (of: string): number => readFileSync(of, 'utf8').trimEnd().split('\n').filter((line) => (JSON.parse(line) as { status: number }).status === 200).length
  await Promise.all(Array.from({ length: 50 }, () => sentinel.get('/')))
  await eventually(() => lines(file), (count) => count === 50)
  renameSync(file, `${file}.1`)
  process.kill(sentinel.pid, 'SIGUSR1')
  await sentinel.logged(({ event }) => event === 'logs-reopened')
  await Promise.all(Array.from({ length: 50 }, () => sentinel.get('/')))
  await eventually(() => lines(file), (count) => count === 50)
  assert.equal(lines(`${file}.1`), 50)
})

test('lines for the standard output of all workers come whole', async (t) => {
  const upstream = await answering(t)
  const sentinel = await startSentinel(t, kdl(upstream.port, { log: 'file "stdout"' }))
  await Promise.all(Array.from({ length: 60 }, (_, i) => sentinel.get(`/${'long'.repeat(500)}/${i}`)))
  await eventually(() => sentinel.access.length, (count) => count === 60)
})

test('workers end when main was killed: open exchanges may finish, and the port is free', async (t) => {
  const upstream = await answering(t, 'late', 500)
  const sentinel = await startSentinel(t, kdl(upstream.port))
  const workers = await workersOf(sentinel)
  const late = sentinel.get('/')
  await eventually(() => upstream.connections, (count) => count > 0)
  process.kill(sentinel.pid, 'SIGKILL')
  assert.equal((await late).text, 'late')
  await eventually(() => workers.filter(({ pid }) => isAlive(pid)).length, (count) => count === 0)
  await assert.rejects(request(sentinel.port(), '/'), /ECONNREFUSED/)
})

test('SIGTERM lets all workers finish what is open', async (t) => {
  const upstream = await answering(t, 'late', 400)
  const sentinel = await startSentinel(t, kdl(upstream.port))
  const late = Array.from({ length: 10 }, () => sentinel.get('/'))
  await eventually(() => upstream.connections, (count) => count === 10)
  assert.equal(await sentinel.stop(), 0)
  assert.deepEqual([...new Set((await Promise.all(late)).map(({ text }) => text))], ['late'])
})

test('what is found out about a target counts for all workers: none asks one that is down or was taken out', async (t) => {
  const well = await answering(t, 'well')
  const other = await answering(t, 'other')
  const sentinel = await startSentinel(t, kdl(well.port).replace(`target "127.0.0.1:${well.port}"`, `target "127.0.0.1:${well.port}"; target "127.0.0.1:${other.port}"`))
  const answers = async (): Promise<string[]> => [...new Set(await Promise.all(Array.from({ length: 40 }, async () => (await sentinel.get('/')).text)))].sort()
  assert.deepEqual(await answers(), ['other', 'well'])
  assert.equal((await runSentinel(['drain', 'app', `127.0.0.1:${other.port}`, '-c', sentinel.file])).code, 0)
  assert.deepEqual(await eventually(answers, (texts) => texts.length === 1), ['well'])
  for (const { pid } of await workersOf(sentinel)) process.kill(pid, 'SIGKILL')
  assert.deepEqual(await answers(), ['well'], 'also those that come later')
})

test('an upgrade hands the sockets of all workers to the next program, and no request fails', async (t) => {
  const upstream = await answering(t, 'served', 5)
  const sentinel = await startSentinel(t, kdl(upstream.port))
  const workers = await workersOf(sentinel)
  const traffic = startTraffic(sentinel.port(), 8)
  await eventually(() => traffic.statuses.length, (count) => count > 50)
  const upgraded = await runSentinel(['upgrade', '-c', sentinel.file])
  assert.equal(upgraded.code, 0, upgraded.stderr)
  const later = traffic.statuses.length
  await eventually(() => traffic.statuses.length, (count) => count > later + 50)
  await eventually(() => workers.filter(({ pid }) => isAlive(pid)).length, (count) => count === 0)
  await traffic.stop()
  assert.equal((await runSentinel(['stop', '-c', sentinel.file])).code, 0)
  assert.equal(traffic.cut, 0)
  assert.deepEqual([...new Set(traffic.statuses)], [200])
})
