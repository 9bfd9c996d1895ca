// A target of HTTP/2 may send any frames at any speed: each lie has a name, costs little, and reaches no other exchange than it must.
import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import { data, frame, headers, setting, types, u32, type H2Frame } from '../support/h2-client.ts'
import { inBodies, ok, onConnections, onStreams, type Lie } from '../support/http2-lies.ts'
import { startProxy, type TestProxy } from '../support/proxy.ts'
import { fieldOf, rawHttp2Upstream, type RawHttp2Options, type RawHttp2Upstream } from '../support/raw-http2-upstream.ts'
import { rawClient } from '../support/raw-client.ts'
import { request } from '../support/request.ts'
import { eventually } from '../support/eventually.ts'

const always = { when: 'always', maxStreams: 100, pingIntervalMs: 0 } as const
interface Scene {
  readonly proxy: TestProxy
  readonly upstream: RawHttp2Upstream
}

/** Answers "/fine" well, "/late" after a while, and everything else with `answer`. */
async function scene (t: TestContext, answer: Lie, options: RawHttp2Options = {}): Promise<Scene> {
  const upstream = await rawHttp2Upstream(t, (connection, one) => {
    if (one.type !== types.headers) return
    const path = fieldOf(one, ':path')
    const fine = (): void => connection.send(headers(one.stream, ok, false), data(one.stream, 'fine', true))
    if (path === '/fine') fine()
    else if (path === '/late') setTimeout(fine, 150)
    else answer(connection, one.stream)
  }, options)
  return { upstream, proxy: await startProxy(t, { targets: [upstream.port], upstream: { http2: always, readTimeoutMs: 2_000 } }) }
}

/** What the client gets: an answer of the proxy, or half of one that is cut. */
async function bad ({ proxy }: Scene): Promise<string> {
  try {
    const { status, text } = await request(proxy.port, '/bad')
    return `${status} ${text.includes('evil') ? 'evil' : ''}`.trim()
  } catch {
    return 'cut'
  }
}

async function faultOfBad ({ proxy }: Scene): Promise<string | undefined> {
  await eventually('the exchange is over', () => proxy.done.some(({ request }) => request.path === '/bad'))
  return proxy.done.find(({ request }) => request.path === '/bad')!.fault?.code
}

for (const [what, answer] of Object.entries(onStreams)) {
  test(`a target that answers with ${what} fails one exchange: others on the connection go on`, async (t) => {
    const here = await scene(t, answer)
    const late = request(here.proxy.port, '/late')
    assert.equal(await bad(here), '502')
    assert.equal(await faultOfBad(here), what === 'a reset' ? 'UPSTREAM_RESET' : 'UPSTREAM_PROTOCOL')
    assert.equal((await late).text, 'fine')
    assert.equal((await request(here.proxy.port, '/fine')).text, 'fine')
    assert.equal(here.upstream.connections.length, 1)
  })
}

for (const [what, answer] of Object.entries(inBodies)) {
  test(`a target that sends ${what} has its answer cut, never completed`, async (t) => {
    const here = await scene(t, answer)
    const late = request(here.proxy.port, '/late')
    assert.equal(await bad(here), 'cut')
    assert.match(await faultOfBad(here) ?? '', /^UPSTREAM_(?:PROTOCOL|RESET)$/)
    assert.equal((await late).text, 'fine')
    assert.equal(here.upstream.connections.length, 1)
  })
}

for (const [what, answer] of Object.entries(onConnections)) {
  test(`a target that sends ${what} loses its connection, and the next request gets another one`, async (t) => {
    const here = await scene(t, answer)
    assert.match(await bad(here), /^(?:50[24]|cut)$/)
    const { fault } = await here.proxy.exchange(1)
    assert.match(fault?.code ?? '', /^UPSTREAM_(?:PROTOCOL|RESET|TIMEOUT)$/)
    assert.notEqual(fault?.detail, undefined)
    const [first] = here.upstream.connections
    await eventually('the connection is not kept', () => first!.closed)
    assert.equal((await request(here.proxy.port, '/fine')).text, 'fine')
  })
}

test('more bytes than the window of a stream end that stream', async (t) => {
  const here = await scene(t, (to, id) => to.send(headers(id, ok, false), ...Array.from({ length: 900 }, () => data(id, Buffer.alloc(16_384)))))
  // A client that reads nothing: what is sent to it stays where it is.
  const { socket } = await rawClient(t, here.proxy.port)
  socket.pause()
  socket.write('GET /bad HTTP/1.1\r\nHost: a\r\n\r\n')
  const late = request(here.proxy.port, '/late')
  const reset = (): H2Frame | undefined => here.upstream.connections[0]?.frames.find(({ type }) => type === types.reset)
  while (reset() === undefined) await new Promise((wait) => setTimeout(wait, 10))
  assert.equal(reset()?.payload.readUInt32BE(0), 3)
  assert.equal((await late).text, 'fine')
  assert.equal((await request(here.proxy.port, '/fine')).text, 'fine')
  assert.equal(here.upstream.connections.length, 1)
})

test('a target that goes away again and again is not dialled without end', async (t) => {
  const upstream = await rawHttp2Upstream(t, () => {}, { first: [setting(), frame(types.goAway, 0, 0, u32(0, 0))] })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { http2: always, connectTimeoutMs: 1_000 } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => request(proxy.port, '/')))
  for (const { status } of answers) assert.ok(status === 502 || status === 503, `${status}`)
  assert.ok(upstream.connections.length <= 40, `${upstream.connections.length} connections`)
})

test('a target that allows no streams is not dialled without end', async (t) => {
  const upstream = await rawHttp2Upstream(t, () => {}, { first: [setting([3, 0])] })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { http2: always, connectTimeoutMs: 1_000 } })
  const answers = await Promise.all(Array.from({ length: 20 }, () => request(proxy.port, '/')))
  for (const { status } of answers) assert.equal(status, 503)
  assert.ok(upstream.connections.length <= 20, `${upstream.connections.length} connections`)
})

test('a target that says nothing after it was connected to is not waited for longer than for a connection', async (t) => {
  const upstream = await rawHttp2Upstream(t, () => {}, { first: [] })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { http2: always, connectTimeoutMs: 300 } })
  const answers = await Promise.all(Array.from({ length: 5 }, () => request(proxy.port, '/')))
  for (const { status } of answers) assert.ok(status === 502 || status === 503, `${status}`)
  assert.ok(proxy.done.every(({ durationMs }) => durationMs < 20_000))
  assert.ok(upstream.connections.length <= 5)
})

test('a body in single bytes costs no more memory than it is long many times over', async (t) => {
  const upstream = await rawHttp2Upstream(t, (connection, one: H2Frame) => {
    if (one.type !== types.headers) return
    connection.send(headers(one.stream, ok, false))
    for (let i = 0; i < 200; i++) connection.send(...Array.from({ length: 1_000 }, () => data(one.stream, 'x')))
    connection.send(data(one.stream, '', true))
  })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { http2: always } })
  const { text } = await request(proxy.port, '/')
  assert.equal(text.length, 200_000)
})
