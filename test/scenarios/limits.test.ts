import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { checkText } from '../../config/sentinel/index.ts'
import { consult, ready } from '../support/consulted.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy } from '../support/proxy.ts'
import { decision, everything, rawAgent } from '../support/raw-agent.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { startSentinel } from '../support/sentinel.ts'
import { httpUpstream } from '../support/upstream.ts'

const get = 'GET / HTTP/1.1\r\nHost: a.test\r\n\r\n'

interface Text {
  readonly limits?: string
  readonly listener?: string
  readonly listeners?: string
  readonly upstream?: string
  readonly system?: string
}

function file (port: number, { limits = '', listener = '', listeners = '', upstream = '', system = '' }: Text): string {
  return `system { ${system} }
limits { ${limits} }
listeners { listener "web" { address "127.0.0.1:0"; ${listener} }; ${listeners} }
routes {
  route "all" { matches { path-prefix "/" }; upstream "app" }
  route "other" { matches { path-prefix "/other" }; upstream "app" }
}
upstreams { upstream "app" { target "127.0.0.1:${port}"; ${upstream} } }
observability { metrics { address "127.0.0.1:0" } }
`
}

/** A connection that has got an answer; `undefined` when it was closed instead. */
function served (t: TestContext, port: number, localAddress = '127.0.0.1'): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress })
    t.after(() => socket.destroy())
    socket.on('error', () => {}).once('data', () => resolve(socket)).once('close', () => resolve(undefined))
    socket.write(get)
  })
}

async function closed (socket: Socket | undefined): Promise<void> {
  assert.ok(socket)
  const gone = new Promise((resolve) => socket.once('close', resolve))
  socket.destroy()
  await gone
}

test('max-connections-per-client: as many as it says and no more, whoever else is served', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file(upstream.port, { limits: 'max-connections-per-client 2', listeners: 'listener "second" { address "127.0.0.1:0" }' }))
  const first = await served(t, sentinel.port())
  assert.ok(first)
  assert.ok(await served(t, sentinel.port('second')), 'at the limit')
  assert.equal(await served(t, sentinel.port()), undefined, 'above the limit, of all listeners together')
  assert.ok(await served(t, sentinel.port(), '127.0.0.2'), 'another client')
  await sentinel.logged(({ code, msg, peer }) => code === 'CLIENT_BUSY' && msg === 'more connections of one client than allowed' && peer === '127.0.0.1')
  assert.match(await sentinel.metrics(), /sentinel_listener_faults_total\{listener="web",code="CLIENT_BUSY"\} 1/)
  await closed(first)
  await eventually('the other end has heard of it', async () => await served(t, sentinel.port()) !== undefined)

  const text = (limit: string): string => file(upstream.port, { limits: limit, listeners: 'listener "second" { address "127.0.0.1:0" }' })
  assert.equal((await sentinel.reload(text('max-connections-per-client 3'))).event, 'reloaded', 'a reload takes it over')
  await eventually('the other end has heard of it', async () => await served(t, sentinel.port()) !== undefined)
  assert.equal(await served(t, sentinel.port()), undefined)
})

test('max-connections-per-client does not count who speaks for many, but whom a PROXY header names', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const trusting = await startSentinel(t, file(upstream.port, { limits: 'max-connections-per-client 1', listener: 'trusted-proxies "127.0.0.1"' }))
  for (let i = 0; i < 4; i++) assert.ok(await served(t, trusting.port()))
  const told = await startSentinel(t, file(upstream.port, { limits: 'max-connections-per-client 1', listener: 'proxy-protocol { from "127.0.0.1" }' }))
  const speakFor = async (client: string): Promise<string> => {
    const raw = await rawClient(t, told.port(), `PROXY TCP4 ${client} 192.0.2.1 4321 443\r\n${get}`)
    return Promise.race([raw.answer().then(({ status }) => String(status)).catch(() => 'closed'), raw.ended().then(() => 'closed')])
  }
  assert.deepEqual([await speakFor('198.51.100.1'), await speakFor('198.51.100.2'), await speakFor('198.51.100.1')], ['200', '200', 'closed'])
  await told.logged(({ code, peer }) => code === 'CLIENT_BUSY' && peer === '198.51.100.1')
})

test('a client that is over its share does not fill the log', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file(upstream.port, { limits: 'max-connections-per-client 1' }))
  assert.ok(await served(t, sentinel.port()))
  const answers = await Promise.all(Array.from({ length: 100 }, () => served(t, sentinel.port())))
  assert.deepEqual(new Set(answers), new Set([undefined]))
  await sentinel.logged(({ code, msg }) => code === 'CLIENT_BUSY' && /^and \d+ more of this kind within a second$/.test(msg ?? ''))
  assert.ok(sentinel.log.filter(({ code }) => code === 'CLIENT_BUSY').length < 80)
  assert.match(await sentinel.metrics(), /code="CLIENT_BUSY"\} 100/)
})

test('system { max-connections } counts all listeners together, max-total-connections each of them', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file(upstream.port, {
    system: 'max-connections 3', limits: 'max-total-connections 2', listeners: 'listener "second" { address "127.0.0.1:0" }',
  }))
  const first = await served(t, sentinel.port())
  assert.ok(await served(t, sentinel.port()))
  assert.equal(await served(t, sentinel.port()), undefined, 'the listener has two')
  assert.ok(await served(t, sentinel.port('second')))
  assert.equal(await served(t, sentinel.port('second')), undefined, 'there are three')
  await sentinel.logged(({ msg }) => msg === 'more connections of all listeners than allowed')
  await sentinel.logged(({ msg }) => msg?.startsWith('more than 2 connections') === true)
  await closed(first)
  await eventually('the other end has heard of it', async () => await served(t, sentinel.port('second')) !== undefined)
})

test('max-header-name-size and max-header-value-size: at the limit a field passes, above it is 431', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, file(upstream.port, { limits: 'max-header-name-size 20; max-header-value-bytes 100; max-header-size "64KiB"' }))
  const status = async (name: string, value: string): Promise<number> => {
    const raw = await rawClient(t, sentinel.port(), `GET / HTTP/1.1\r\nHost: a.test\r\n${name}: ${value}\r\n\r\n`)
    return (await raw.answer()).status
  }
  assert.deepEqual([await status('x'.repeat(19), 'v'), await status('x'.repeat(20), 'v'), await status('x'.repeat(21), 'v')], [200, 200, 431])
  assert.deepEqual([await status('x', 'v'.repeat(99)), await status('x', 'v'.repeat(100)), await status('x', 'v'.repeat(101))], [200, 200, 431])
  assert.equal(await status('Content-Length', `${'0'.repeat(101)}`), 431, 'whatever the field')
  await sentinel.logged(({ code }) => code === 'HEAD_TOO_LARGE')
  const plain = await startSentinel(t, file(upstream.port, {}))
  const raw = await rawClient(t, plain.port(), `GET / HTTP/1.1\r\nHost: a.test\r\nCookie: ${'c'.repeat(6_000)}\r\n\r\n`)
  assert.equal((await raw.answer()).status, 200, 'without the setting the size of the head alone counts')
  const long = await rawClient(t, plain.port(), `GET / HTTP/1.1\r\nHost: a.test\r\n${'n'.repeat(257)}: 1\r\n\r\n`)
  assert.equal((await long.answer()).status, 431)
})

/** An upstream that answers when it is told to. */
async function holding (t: TestContext): Promise<{ port: number, held: Array<() => void>, until: (count: number) => Promise<void> }> {
  const held: Array<() => void> = []
  const upstream = await httpUpstream(t, (_, response) => { held.push(() => response.end('ok')) })
  return { port: upstream.port, held, until: (count) => eventually(`${count} are held`, () => held.length >= count) }
}

test('max-connections-per-route: one route is full, others are not, and there is room again afterwards', async (t) => {
  const { port, held, until } = await holding(t)
  const sentinel = await startSentinel(t, file(port, { limits: 'max-connections-per-route 2' }))
  const open = [sentinel.get('/'), sentinel.get('/')]
  await until(2)
  const refused = await sentinel.get('/full')
  assert.equal(refused.status, 503)
  assert.equal((await sentinel.accessed(({ path }) => path === '/full')).fault, 'ROUTE_BUSY')
  open.push(sentinel.get('/other'))
  await until(3)
  for (const answer of held.splice(0)) answer()
  assert.deepEqual((await Promise.all(open)).map(({ status }) => status), [200, 200, 200])
  const again = sentinel.get('/')
  await until(1)
  held[0]!()
  assert.equal((await again).status, 200)
})

test('max-in-flight-requests-per-worker: one more gets 503', async (t) => {
  const { port, held, until } = await holding(t)
  const sentinel = await startSentinel(t, file(port, { limits: 'max-in-flight-requests-per-worker 2; max-in-flight-requests 100' }))
  const open = [sentinel.get('/'), sentinel.get('/other')]
  await until(2)
  assert.equal((await sentinel.get('/full')).status, 503)
  assert.equal((await sentinel.accessed(({ path }) => path === '/full')).fault, 'OVERLOADED')
  for (const answer of held) answer()
  assert.deepEqual((await Promise.all(open)).map(({ status }) => status), [200, 200])
})

async function idleAfter (t: TestContext, count: number, upstream: Parameters<typeof startProxy>[1]['upstream'], kept: number, targets = 1): Promise<void> {
  const { port, held, until } = await holding(t)
  // Three names of one server: three targets.
  const names = ['127.0.0.1', 'localhost', '127.1'].slice(0, targets)
  const proxy = await startProxy(t, { targets: names.map((host) => ({ host, port, weight: 1 })), ...upstream === undefined ? {} : { upstream } })
  const clients = await Promise.all(Array.from({ length: count }, () => rawClient(t, proxy.port, get)))
  await until(count)
  for (const answer of held) answer()
  for (const client of clients) assert.equal((await client.answer()).status, 200)
  await eventually(`${kept} of ${count} are kept`, () => proxy.upstream.targets.reduce((sum, { connections }) => sum + connections, 0) === kept)
}

test('unused connections to targets are kept up to max-idle for each, and up to max-idle-connections-per-upstream for all', async (t) => {
  await idleAfter(t, 6, {}, 6)
  await idleAfter(t, 6, { poolMaxIdle: 2 }, 2)
  await idleAfter(t, 2, { poolMaxIdle: 2 }, 2)
  await idleAfter(t, 6, { poolMaxIdle: 0 }, 0)
  await idleAfter(t, 6, { poolMaxIdleTotal: 4 }, 4, 3)
  await idleAfter(t, 8, { poolMaxIdle: 1 }, 2, 2)
})

test('max-lifetime: an old connection serves nobody else, one that is busy is not cut', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => { setTimeout(() => response.end('ok'), 60) })
  const seen = new Set<unknown>()
  const counted = await httpUpstream(t, (request, response) => {
    seen.add(request.socket)
    setTimeout(() => response.end('ok'), 250)
  })
  const proxy = await startProxy(t, { targets: [counted.port], upstream: { poolMaxAgeMs: 150, poolIdleMs: 60_000 } })
  const client = await rawClient(t, proxy.port)
  for (let i = 0; i < 2; i++) {
    client.send(get)
    assert.equal((await client.answer()).status, 200, 'it takes longer than the connection may live, and is served')
  }
  assert.equal(seen.size, 2)
  const young = await startProxy(t, { targets: [upstream.port], upstream: { poolMaxAgeMs: 60_000 } })
  const other = await rawClient(t, young.port)
  for (let i = 0; i < 3; i++) {
    other.send(get)
    await other.answer()
  }
  assert.equal(young.upstream.targets[0]!.connections, 1)
})

test('max-requests of a target: more go to another one, and get 503 where there is none', async (t) => {
  const [one, two] = [await holding(t), await holding(t)]
  const target = (port: number) => ({ host: '127.0.0.1', port, weight: 1, maxRequests: 2 })
  const proxy = await startProxy(t, { targets: [target(one.port), target(two.port)] })
  const clients = await Promise.all(Array.from({ length: 4 }, () => rawClient(t, proxy.port, get)))
  await Promise.all([one.until(2), two.until(2)])
  const fifth = await rawClient(t, proxy.port, get)
  assert.equal((await fifth.answer()).status, 503)
  assert.equal((await proxy.exchange(1)).fault?.code, 'UPSTREAM_BUSY')
  one.held.shift()!()
  await proxy.exchange(2)
  fifth.send(get)
  await one.until(2)
  for (const answer of [...one.held, ...two.held]) answer()
  assert.equal((await fifth.answer()).status, 200)
  for (const client of clients) assert.equal((await client.answer()).status, 200)
})

test('max-agent-response: an answer at the limit counts, a larger one is none', async (t) => {
  const agent = await rawAgent(t, { describe: everything })
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs > 0) wire.reply(event, decision({ kind: 'block', value: { status: 403, headers: [], body: Buffer.alloc(2_000, 'x') } }))
  }
  const roomy = await consult(await ready(t, agent.path, { maxMessageBytes: 2_500 }))
  assert.deepEqual([roomy.status, roomy.body.length], [403, 2_000])
  const tight = await consult(await ready(t, agent.path, { maxMessageBytes: 1_500 }))
  assert.equal(tight.status, 503, 'the failure mode is closed')
  assert.equal(tight.x.fault?.row.blame, 'agent')
})

test('what an agent says nothing about, limits say', () => {
  const agentWith = (limits: string, agent: string) => {
    const { config } = checkText(`${file(1, { limits })}agents { agent "a" type="waf" { ${agent} } }`, 'sentinel.kdl', { env: {} })
    assert.ok(config)
    const [{ maxRequestBodySize, maxResponseBodySize, maxQueuedCalls, maxMessageSize } = assert.fail()] = config.agents
    return [maxRequestBodySize, maxResponseBodySize, maxQueuedCalls, maxMessageSize]
  }
  assert.deepEqual(agentWith('', ''), [1_048_576, 1_048_576, 100, undefined])
  const all = 'max-agent-body 2000; max-agent-queue-depth 7; max-agent-response-bytes 9000'
  assert.deepEqual(agentWith(all, ''), [2000, 2000, 7, 9000])
  assert.deepEqual(agentWith(`${all}; max-body-inspection-bytes 500`, ''), [500, 500, 7, 9000])
  assert.deepEqual(agentWith(all, 'max-request-body-size 5000; max-response-body-size 6000; max-queued-calls 3'), [5000, 6000, 3, 9000])
})
