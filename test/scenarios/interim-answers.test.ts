import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type ClientHttp2Session } from 'node:http2'
import { describe, test, type TestContext } from 'node:test'
import { bodyOf } from '../../proxy/pipeline/body.ts'
import type { Filter } from '../../proxy/pipeline/exchange.ts'
import { HeaderList } from '../../proxy/pipeline/headers.ts'
import { Places, webSocketFilter } from '../../proxy/websocket/index.ts'
import { eventually } from '../support/eventually.ts'
import { startProxy, type ProxyGiven } from '../support/proxy.ts'
import { rawClient } from '../support/raw-client.ts'
import { fixedUpstream, rawUpstream, type RawConnection } from '../support/upstream.ts'
import { within } from '../support/within.ts'

const get = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
const hint = (link: string, more = ''): string => `HTTP/1.1 103 Early Hints\r\nLink: <${link}>\r\n${more}\r\n`

describe('interim answers of an upstream', () => {
  test('reach the client at once, in order, in front of the answer', async (t) => {
    let upstreamSocket: RawConnection['socket'] | undefined
    const upstream = await rawUpstream(t, ({ socket }) => {
      upstreamSocket = socket
      socket.write(`HTTP/1.1 102 Processing\r\n\r\n${hint('/a', 'X-Own: 1\r\nConnection: X-Hop\r\nX-Hop: 1\r\n')}`)
    })
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    const first = await client.until('X-Own: 1\r\n\r\n')
    assert.equal(first, 'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Own: 1\r\n\r\n')
    upstreamSocket!.write(hint('/b') + ok)
    const all = await client.until(/ok$/)
    assert.match(all.slice(first.length), /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/b>\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    client.send(get)
    await client.until(/ok[^]*102[^]*X-Own: 1\r\n\r\n$/)
  })

  test('of another number than 103 pass as well, 100 does not', async (t) => {
    const upstream = await fixedUpstream(t, `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 199 Whatever\r\nA: b\r\n\r\n${ok}`)
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    assert.match(await client.until(/ok$/), /^HTTP\/1\.1 199 \r\nA: b\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  test('do not reach a client of HTTP/1.0', async (t) => {
    const upstream = await fixedUpstream(t, hint('/a') + ok)
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, 'GET / HTTP/1.0\r\n\r\n')
    assert.match(await client.ended(), /^HTTP\/1\.1 200 OK\r\n/)
  })

  test('are bounded: a flood of them is no answer', async (t) => {
    const upstream = await fixedUpstream(t, hint('/a').repeat(40) + ok)
    const { port } = await startProxy(t, { targets: [upstream.port] })
    const client = await rawClient(t, port, get)
    const all = await client.until(/HTTP\/1\.1 502 /)
    assert.equal(all.split('HTTP/1.1 103 ').length - 1, 32)
  })

  test('pass whole on a route that also lets WebSockets through', async (t) => {
    const settings = { idleMs: 5_000, pingIntervalMs: undefined, pingTimeoutMs: 5_000, maxMessageBytes: Infinity, maxConnections: 9, maxConnectionsPerIp: 9 }
    const upstream = await fixedUpstream(t, hint('/a', 'X-Own: 1\r\n') + ok)
    const { port } = await startProxy(t, { targets: [upstream.port], upgrades: true, filters: [webSocketFilter(settings, new Places())] })
    const client = await rawClient(t, port, get)
    assert.match(await client.until(/ok$/), /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\nX-Own: 1\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
  })

  test('tell no more than Link where a filter has a say about answers', async (t) => {
    const judge: Filter = { name: 'judge', onResponse: (_x, reply) => { reply.headers.remove('x-secret'); return undefined } }
    const upstream = await fixedUpstream(t, hint('/a', 'X-Secret: 1\r\nLink: </b>\r\n') + 'HTTP/1.1 103 Early Hints\r\nX-Secret: 2\r\n\r\n' + ok)
    const { port } = await startProxy(t, { targets: [upstream.port], filters: [judge] })
    const client = await rawClient(t, port, get)
    const all = await client.until(/ok$/)
    assert.match(all, /^HTTP\/1\.1 103 Early Hints\r\nLink: <\/a>\r\nLink: <\/b>\r\n\r\nHTTP\/1\.1 200 OK\r\n/)
    assert.doesNotMatch(all, /secret/i)
  })

  test('never come behind the head of an answer that a filter gave while it waited for another', async (t) => {
    const early: Filter = { name: 'early', onRequest: (x) => { setTimeout(() => x.interim?.(103, new HeaderList(['A', 'late'])), 20); return { status: 200, headers: new HeaderList([]), body: bodyOf(Buffer.from('ok')) } } }
    const upstream = await fixedUpstream(t, ok)
    const { port } = await startProxy(t, { targets: [upstream.port], filters: [early] })
    const client = await rawClient(t, port, get)
    await client.until(/ok$/)
    await new Promise((wait) => setTimeout(wait, 60))
    assert.doesNotMatch(client.received, /late/)
  })
})

const post = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n'
const chunkedPost = 'POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Calls `onHead` for each head, then `onBody` when four bytes of body (or a last chunk) are there. */
function expecting (t: TestContext, onHead: (socket: RawConnection['socket'], head: string) => void, onBody: (socket: RawConnection['socket']) => void) {
  const state = new Map<RawConnection['socket'], { at: number, headSeen: boolean }>()
  return rawUpstream(t, ({ socket, received }) => {
    const own = state.get(socket) ?? { at: 0, headSeen: false }
    state.set(socket, own)
    const rest = received.slice(own.at)
    const end = rest.indexOf('\r\n\r\n') + 4
    if (end < 4) return
    if (!own.headSeen) {
      own.headSeen = true
      onHead(socket, rest.slice(0, end))
    }
    const body = rest.slice(end)
    if (body !== 'body' && !body.endsWith('0\r\n\r\n')) return
    own.at = received.length
    own.headSeen = false
    onBody(socket)
  })
}

const start = (t: TestContext, port: number, more: Partial<ProxyGiven> = {}) => startProxy(t, { targets: [port], ...more })

describe('Expect: 100-continue', () => {
  for (const [request, body] of [[post, 'body'], [chunkedPost, '4\r\nbody\r\n0\r\n\r\n']] as const) {
    test(`goes to the upstream, whose 100 lets the body come (${body.length} bytes), and the connections are kept`, async (t) => {
      const heads: string[] = []
      const upstream = await expecting(t, (socket, head) => {
        heads.push(head)
        setTimeout(() => socket.write('HTTP/1.1 100 Continue\r\n\r\n'), 100)
      }, (socket) => socket.write(ok))
      const { port } = await start(t, upstream.port)
      const client = await rawClient(t, port)
      for (let i = 0; i < 2; i++) {
        const before = client.received.length
        client.send(request)
        await new Promise((wait) => setTimeout(wait, 50))
        assert.equal(client.received.length, before, 'the upstream was not asked yet')
        await client.until(/100 Continue\r\n\r\n$/)
        client.send(body)
        assert.match(await client.until(/ok$/), /200 OK[^]*ok$/)
      }
      assert.match(heads[1]!, /\r\nExpect: 100-continue\r\n/)
      assert.equal(upstream.connections, 1)
    })
  }

  for (const status of [401, 413, 417, 200]) {
    test(`ends with the answer ${status} of the upstream, and nobody sends the body`, async (t) => {
      let bytes = 0
      const upstream = await rawUpstream(t, ({ socket, received }) => {
        bytes = received.length - received.indexOf('\r\n\r\n') - 4
        socket.write(`HTTP/1.1 ${status} No\r\nContent-Length: 2\r\n\r\nno`)
      })
      const { port } = await start(t, upstream.port)
      const client = await rawClient(t, port, post)
      const all = await client.ended()
      assert.match(all, new RegExp(`^HTTP/1\\.1 ${status} [^]*Connection: close\r\n[^]*no$`))
      assert.equal(bytes, 0)
      // Nobody knows whether the upstream waits for the body: its connection is of no use.
      const next = await rawClient(t, port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.equal((await next.answer()).status, status)
      assert.equal(upstream.connections, 2)
    })
  }

  test('is for nothing when the upstream does not know it: the body flows after a second', async (t) => {
    const upstream = await expecting(t, () => {}, (socket) => socket.write(ok))
    const { port } = await start(t, upstream.port)
    const client = await rawClient(t, port, post)
    const startedMs = performance.now()
    await client.until('100 Continue\r\n\r\n')
    const ms = performance.now() - startedMs
    assert.ok(ms > 900 && ms < 10_000, `${ms} ms`)
    client.send('body')
    assert.match(await client.until(/ok$/), /200 OK/)
  })

  test('is answered by the proxy when a filter wants the body, and does not go on then', async (t) => {
    let head = ''
    const upstream = await expecting(t, (_socket, text) => { head = text }, (socket) => socket.write(ok))
    const reader: Filter = {
      name: 'reader',
      async onRequest (x) {
        const chunk = await x.requestBody!.read()
        x.requestBody = bodyOf(chunk!)
        return undefined
      },
    }
    const { port } = await start(t, upstream.port, { filters: [reader] })
    const client = await rawClient(t, port, post)
    await client.until('100 Continue\r\n\r\n')
    assert.equal(head, '')
    client.send('body')
    assert.match(await client.until(/ok$/), /200 OK/)
    assert.doesNotMatch(head, /expect/i)
  })

  test('is not waited for when the client sends the body all the same', async (t) => {
    let head = ''
    const upstream = await expecting(t, (_socket, text) => { head = text }, (socket) => socket.write(ok))
    const { port } = await start(t, upstream.port)
    await within(900, async () => {
      const startedMs = performance.now()
      const client = await rawClient(t, port, `${post}body`)
      await client.until(/ok$/)
      assert.doesNotMatch(head, /expect/i)
      return performance.now() - startedMs
    })
  })

  test('of a body that is too large gets 413, and nothing is asked', async (t) => {
    const upstream = await fixedUpstream(t, ok)
    const { port } = await start(t, upstream.port, { maxBodyBytes: 3 })
    const client = await rawClient(t, port, post)
    assert.match(await client.ended(), /^HTTP\/1\.1 413 /)
    assert.equal(upstream.connections, 0)
  })

  test('of a client that leaves while it waits lets the upstream go', async (t) => {
    let isAsked = false
    const upstream = await expecting(t, () => { isAsked = true }, () => {})
    const proxy = await start(t, upstream.port)
    const client = await rawClient(t, proxy.port, post)
    await eventually('the upstream is asked', () => isAsked)
    client.socket.resetAndDestroy()
    assert.equal((await proxy.exchange(1)).fault?.code, 'CLIENT_GONE')
    await eventually('the upstream is let go', () => upstream.sockets.size === 0)
  })
})

describe('over HTTP/2 to a server of HTTP/1.1', () => {
  async function session (t: TestContext, port: number): Promise<ClientHttp2Session> {
    const proxy = await start(t, port, { listener: { priorKnowledge: true } })
    const client = connect(`http://127.0.0.1:${proxy.port}`)
    t.after(() => client.destroy())
    return client
  }

  test('interim answers reach the client, in order', async (t) => {
    const upstream = await fixedUpstream(t, hint('/a') + hint('/b') + ok)
    const stream = (await session(t, upstream.port)).request({ ':path': '/' })
    const seen: unknown[] = []
    stream.on('headers', (headers) => seen.push([headers[':status'], headers['link']]))
    const [headers] = await once(stream, 'response') as [Record<string, unknown>]
    assert.deepEqual([...seen, headers[':status']], [[103, '</a>'], [103, '</b>'], 200])
    stream.resume()
  })

  test('an expectation goes to the upstream, which may answer without the body', async (t) => {
    let head = ''
    const upstream = await rawUpstream(t, ({ socket, received }) => {
      head = received
      if (received.includes('/no')) socket.write('HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno')
      else socket.write(received.endsWith('body') ? ok : 'HTTP/1.1 100 Continue\r\n\r\n')
    })
    const client = await session(t, upstream.port)
    const going = client.request({ ':method': 'POST', ':path': '/go', 'expect': '100-continue', 'content-length': '4' })
    await once(going, 'continue')
    assert.match(head, /\r\nExpect: 100-continue\r\n/)
    going.end('body')
    const [answer] = await once(going, 'response') as [Record<string, unknown>]
    assert.equal(answer[':status'], 200)
    going.resume()
    const refused = client.request({ ':method': 'POST', ':path': '/no', 'expect': '100-continue', 'content-length': '4' })
    refused.on('error', () => { /* the rest of the stream is not wanted */ })
    refused.on('continue', () => assert.fail('nobody wants the body'))
    const [no] = await once(refused, 'response') as [Record<string, unknown>]
    assert.equal(no[':status'], 401)
    refused.resume()
  })
})
