import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { atATime } from '../support/at-a-time.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { request } from '../support/request.ts'
import { scriptedAgent, siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'
import { echoServer, webSocketClient } from '../support/websocket.ts'
import { eventually } from '../support/eventually.ts'
import { oneOfThree } from '../support/within.ts'
import { isAlive } from '../support/workers.ts'

const test = atATime(2)

const graceful = (timeout: string, more = ''): string => `system { graceful-shutdown-timeout "${timeout}"; ${more} }`

/** A connection of HTTP/1.1, and what has come over it. */
async function client (t: TestContext, port: number): Promise<{ readonly socket: Socket, readonly text: () => string, readonly ended: Promise<unknown> }> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (bytes: Buffer) => { text += bytes.toString('latin1') })
  socket.on('error', () => { /* the test looks at what came */ })
  t.after(() => socket.destroy())
  await once(socket, 'connect')
  return { socket, text: () => text, ended: once(socket, 'close') }
}

async function until (test: () => boolean): Promise<void> {
  while (!test()) await wait(5)
}

test('SIGTERM closes the door and idle connections, and the answer that is on its way says that it is the last', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (received, response) => {
    if (received.url === '/slow') finish = () => response.end('in the end')
    else response.end('ok')
  })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
  const [busy, idle] = [await client(t, sentinel.port()), await client(t, sentinel.port())]
  idle.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  busy.socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => finish !== undefined && idle.text().endsWith('ok'))
  const stopped = sentinel.stop('SIGTERM')
  await idle.ended
  await assert.rejects(request(sentinel.port(), '/'), /ECONNREFUSED/)
  const ready = await request(sentinel.metricsPort(), '/ready')
  assert.deepEqual([ready.status, ready.text.trim()], [503, 'draining'])
  finish!()
  await busy.ended
  assert.match(busy.text(), /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n[^]*in the end$/)
  assert.equal(await stopped, 0)
})

test('a request that a client sends just before it hears of the stop is answered', async (t) => {
  // Half a second is the time for crossing: a machine that is busy may need it for something else.
  await oneOfThree(async () => {
    const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
    const sentinel = await startSentinel(t, siteWith(upstream.port, '', []))
    const [fresh, kept] = [await client(t, sentinel.port()), await client(t, sentinel.port())]
    kept.socket.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\n')
    await until(() => kept.text().endsWith('ok'))
    const stopped = sentinel.stop('SIGTERM')
    await sentinel.logged(({ event }) => event === 'stopping')
    for (const { socket } of [fresh, kept]) socket.write('GET /2 HTTP/1.1\r\nHost: a\r\n\r\n')
    await Promise.all([fresh.ended, kept.ended])
    for (const { text } of [fresh, kept]) assert.match(text(), /Connection: close\r\n[^]*ok$/)
    assert.equal(await stopped, 0)
  })
})

test('who has connected just before the stop has two seconds to ask', async (t) => {
  await oneOfThree(async () => {
    const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
    const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('listener "web" {', 'listener "both" { address "127.0.0.1:0"; protocol "h2" }; listener "web" {'))
    const clients = await Promise.all(['web', 'both'].map((listener) => client(t, sentinel.port(listener))))
    const stopped = sentinel.stop('SIGTERM')
    await sentinel.logged(({ event }) => event === 'stopping')
    await wait(1_000)
    for (const { socket } of clients) socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await Promise.all(clients.map(({ ended }) => ended))
    for (const { text } of clients) assert.match(text(), /Connection: close\r\n[^]*ok$/)
    assert.equal(await stopped, 0)
  })
})

test('HTTP/2 streams that are open or on their way are answered, then the connection ends', async (t) => {
  let finish: (() => void) | undefined
  const upstream = await startRecordingUpstream(t, (_, response) => { finish = () => response.end('in the end') })
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', []).replace('"127.0.0.1:0" }', '"127.0.0.1:0"; protocol "h2" }'))
  const session = connectHttp2(`http://127.0.0.1:${sentinel.port()}`)
  t.after(() => session.destroy())
  const goAways: number[] = []
  session.on('goaway', (_code, last) => goAways.push(last ?? -1))
  const stream = session.request({ ':path': '/' })
  let text = ''
  stream.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  await until(() => finish !== undefined)
  const stopped = sentinel.stop('SIGTERM')
  await until(() => goAways.length === 2)
  assert.deepEqual(goAways, [2 ** 31 - 1, 1])
  finish!()
  await once(stream, 'end')
  assert.equal(text, 'in the end')
  assert.equal(await stopped, 0)
})

test('streams that outlast the time are ended in good form: events behind one of them, WebSockets with 1001 on both sides', async (t) => {
  const events = await startRecordingUpstream(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: 1\n\n')
    setTimeout(() => response.write('data: 2\n\n'), 50)
  })
  const echo = await echoServer(t)
  const serverClosed = new Promise<number>((resolve) => { echo.server.on('connection', (socket) => socket.on('close', resolve)) })
  const sentinel = await startSentinel(t, `
listeners { listener "web" { address "127.0.0.1:0" } }
routes {
    route "events" { matches { path-prefix "/events" }; upstream "events" }
    route "chat" { matches { path-prefix "/" }; websocket #true; upstream "chat" }
}
upstreams { upstream "events" { target "127.0.0.1:${events.port}" }; upstream "chat" { target "127.0.0.1:${echo.port}" } }
observability { metrics { address "127.0.0.1:0" } }
${graceful('300ms')}`)
  const stream = await client(t, sentinel.port())
  stream.socket.write('GET /events HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => stream.text().includes('data: 2'))
  const tunnel = await webSocketClient(t, sentinel.port())
  const clientClosed = once(tunnel, 'close')
  const stopped = sentinel.stop('SIGTERM')
  await stream.ended
  assert.match(stream.text(), /data: 2\n\n\r\n0\r\n\r\n$/)
  assert.equal((await clientClosed)[0], 1001)
  assert.equal(await serverClosed, 1001)
  assert.equal(await stopped, 0)
})

test('SIGQUIT waits for nobody, and a stop that waits is cut short by it', async (t) => {
  for (const signals of [['SIGQUIT'], ['SIGTERM', 'SIGQUIT']] as const) {
    let reached = false
    const upstream = await startRecordingUpstream(t, () => { reached = true })
    const sentinel = await startSentinel(t, siteWith(upstream.port, scriptedAgent('first'), ['first'], graceful('60s')))
    const pending = request(sentinel.port(), '/').catch((error: unknown) => error)
    await until(() => reached)
    const exited = once(sentinel.process, 'exit')
    const startedMs = performance.now()
    for (const signal of signals) {
      sentinel.process.kill(signal)
      await sentinel.logged(({ event }) => event === 'stopping')
    }
    assert.deepEqual(await exited, [0, null])
    assert.ok(performance.now() - startedMs < 50_000, 'not a minute')
    assert.ok(await pending instanceof Error)
    await eventually('its agent ends with it', () => !isAlive(sentinel.agentPids()['first']!))
  }
})

test('shutdown-delay goes on serving while balancers are told', async (t) => {
  const upstream = await startRecordingUpstream(t, (_, response) => response.end('ok'))
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', [], graceful('60s', 'shutdown-delay "4s"')))
  assert.equal((await request(sentinel.metricsPort(), '/ready')).status, 200)
  const startedMs = performance.now()
  const stopped = sentinel.stop('SIGTERM')
  await sentinel.logged(({ event }) => event === 'stopping')
  assert.equal((await request(sentinel.metricsPort(), '/ready')).status, 503)
  assert.equal((await request(sentinel.port(), '/')).text, 'ok')
  assert.equal(await stopped, 0)
  assert.ok(performance.now() - startedMs >= 4_000)
})
