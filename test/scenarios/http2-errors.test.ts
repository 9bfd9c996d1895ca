import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Filter } from '../../proxy/pipeline/exchange.ts'
import { block, data, frame, get, h2Client, headers, post, setting, types, u32, type H2Client } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { httpUpstream } from '../support/upstream.ts'

/**
 * What RFC 9113 says about wrong frames, sections 4 to 6 and 8: what is done, and the code. "GOAWAY x" ends the connection, "RST x" the stream 1,
 * "ignored" means that the next request is answered as if nothing had been.
 */
interface Case {
  readonly name: string
  readonly send: readonly Buffer[]
  readonly gives: string
  /** Sent when the first has been answered or reset. */
  readonly later?: readonly Buffer[]
  /** Without preface and SETTINGS. */
  readonly raw?: boolean
}

const window0 = setting([4, 0])
const literalOf = (text: string): Buffer => Buffer.from(text, 'hex')
const upload = headers(1, post('/wait'), false)

const cases: readonly Case[] = [
  { name: '3.4 a wrong preface', raw: true, send: [Buffer.from('PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n')], gives: 'refused' },
  { name: '3.4 the first frame is no SETTINGS', raw: true, send: [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(types.ping, 0, 0, u32(0, 0))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '3.4 the first frame is an ACK', raw: true, send: [Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(types.settings, 1, 0)], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '4.1 an unknown type', send: [frame(0x16, 0xff, 0, 'x')], gives: 'ignored' },
  { name: '4.1 an unknown type on a stream that is not open', send: [frame(0x16, 0, 77, 'x')], gives: 'ignored' },
  { name: '4.1 flags that have no meaning', send: [frame(types.ping, 0x16, 0, u32(1, 2))], gives: 'ignored' },
  { name: '4.1 the reserved bit of the stream number', send: [frame(types.ping, 0, 0x80000000, u32(1, 2))], gives: 'ignored' },
  { name: '4.2 a frame larger than we allow', send: [upload, data(1, Buffer.alloc(16_385))], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '4.2 HEADERS larger than we allow', send: [frame(types.headers, 5, 1, Buffer.alloc(16_385))], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '4.3 a block that is none', send: [frame(types.headers, 5, 1, literalOf('00853f'))], gives: 'GOAWAY COMPRESSION_ERROR' },
  { name: '4.3 an index of nothing', send: [frame(types.headers, 5, 1, literalOf('ff7f'))], gives: 'GOAWAY COMPRESSION_ERROR' },
  { name: '4.3 a frame between HEADERS and CONTINUATION', send: [frame(types.headers, 0, 1, block(get())), frame(types.ping, 0, 0, u32(0, 0))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '4.3 CONTINUATION of another stream', send: [frame(types.headers, 0, 1, block(get())), frame(types.continuation, 4, 3)], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '4.3 an unknown type between HEADERS and CONTINUATION', send: [frame(types.headers, 0, 1, block(get())), frame(0x16, 0, 1)], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 idle: DATA', send: [data(1, 'x')], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 idle: RST_STREAM', send: [frame(types.reset, 0, 1, u32(8))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 idle: WINDOW_UPDATE', send: [frame(types.window, 0, 1, u32(1))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 idle: CONTINUATION', send: [frame(types.continuation, 4, 1, block(get()))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 idle: WINDOW_UPDATE on a stream only we could open', send: [frame(types.window, 0, 2, u32(1))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 half-closed: DATA', send: [window0, headers(1, get()), data(1, 'x')], gives: 'RST STREAM_CLOSED' },
  { name: '5.1 half-closed: HEADERS', send: [window0, headers(1, get()), headers(1, ['x-t', '1'])], gives: 'RST STREAM_CLOSED' },
  { name: '5.1 half-closed: WINDOW_UPDATE', send: [window0, headers(1, get()), frame(types.window, 0, 1, u32(100))], gives: 'ignored' },
  { name: '5.1 closed: DATA', send: [headers(1, get())], later: [data(1, 'x')], gives: 'GOAWAY STREAM_CLOSED' },
  { name: '5.1 closed: HEADERS', send: [headers(1, get())], later: [headers(1, get())], gives: 'GOAWAY STREAM_CLOSED' },
  { name: '5.1 closed: CONTINUATION', send: [headers(1, get())], later: [frame(types.continuation, 4, 1, block(get()))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1 closed: RST_STREAM', send: [headers(1, get())], later: [frame(types.reset, 0, 1, u32(8))], gives: 'ignored' },
  { name: '5.1 closed: WINDOW_UPDATE', send: [headers(1, get())], later: [frame(types.window, 0, 1, u32(8))], gives: 'ignored' },
  { name: '5.1 closed: PRIORITY', send: [headers(1, get())], later: [frame(types.priority, 0, 1, Buffer.concat([u32(0), Buffer.from([8])]))], gives: 'ignored' },
  { name: '5.1 reset by the client: DATA', send: [upload, frame(types.reset, 0, 1, u32(8)), data(1, 'x')], gives: 'GOAWAY STREAM_CLOSED' },
  { name: '5.1 reset by us: DATA that crossed it', send: [upload, frame(types.window, 0, 1, u32(0)), data(1, 'x'), data(1, 'y', true)], gives: 'RST PROTOCOL_ERROR' },
  { name: '5.1 reset by us: HEADERS that crossed it', send: [upload, frame(types.window, 0, 1, u32(0)), headers(1, ['x-t', '1'])], gives: 'RST PROTOCOL_ERROR' },
  { name: '5.1.1 an even number', send: [headers(2, get())], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.1.1 a lower number than the last', send: [headers(5, get()), headers(3, get())], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '5.3.1 HEADERS that depend on themselves', send: [frame(types.headers, 0x25, 1, Buffer.concat([u32(1), Buffer.from([8]), block(get())]))], gives: 'RST PROTOCOL_ERROR' },
  { name: '5.3.1 PRIORITY that depends on itself', send: [frame(types.priority, 0, 1, Buffer.concat([u32(1), Buffer.from([8])]))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.1 DATA on stream 0', send: [data(0, 'x')], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.1 more padding than DATA', send: [upload, frame(types.data, 0x9, 1, Buffer.from([6, 1, 2, 3, 4, 5]))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.1 padding without the octet that tells how much', send: [upload, frame(types.data, 0x9, 1)], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.1 padding that fills the frame', send: [headers(1, post(), false), frame(types.data, 0x9, 1, Buffer.from([5, 0, 0, 0, 0, 0]))], gives: 'answered' },
  { name: '6.2 HEADERS on stream 0', send: [headers(0, get())], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.2 more padding than HEADERS', send: [frame(types.headers, 0xd, 1, Buffer.from([9, 0]))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.2 HEADERS without their priority', send: [frame(types.headers, 0x25, 1, Buffer.from([0, 0]))], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.2 padded HEADERS with priority', send: [frame(types.headers, 0x2d, 1, Buffer.concat([Buffer.from([2]), u32(0), Buffer.from([8]), block(get()), Buffer.from([0, 0])]))], gives: 'answered' },
  { name: '6.3 PRIORITY on stream 0', send: [frame(types.priority, 0, 0, Buffer.alloc(5))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.3 PRIORITY of a wrong size', send: [upload, frame(types.priority, 0, 1, Buffer.alloc(4))], gives: 'RST FRAME_SIZE_ERROR' },
  { name: '6.4 RST_STREAM on stream 0', send: [frame(types.reset, 0, 0, u32(8))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.4 RST_STREAM of a wrong size', send: [upload, frame(types.reset, 0, 1, 'abc')], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.5 SETTINGS on a stream', send: [frame(types.settings, 0, 1)], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.5 SETTINGS of a wrong size', send: [frame(types.settings, 0, 0, 'abc')], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.5 an ACK that says something', send: [frame(types.settings, 1, 0, Buffer.alloc(6))], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.5.2 ENABLE_PUSH of 2', send: [setting([2, 2])], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.5.2 INITIAL_WINDOW_SIZE above 2^31-1', send: [setting([4, 0x80000000])], gives: 'GOAWAY FLOW_CONTROL_ERROR' },
  { name: '6.5.2 MAX_FRAME_SIZE below 2^14', send: [setting([5, 16_383])], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.5.2 MAX_FRAME_SIZE above 2^24-1', send: [setting([5, 16_777_216])], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.5.2 an unknown setting', send: [setting([0xabc, 7])], gives: 'ignored' },
  { name: '8441-3 ENABLE_CONNECT_PROTOCOL of 2', send: [setting([8, 2])], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.6 PUSH_PROMISE of a client', send: [frame(types.push, 4, 1, Buffer.concat([u32(2), block(get())]))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.7 PING on a stream', send: [frame(types.ping, 0, 1, u32(0, 0))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.7 PING of a wrong size', send: [frame(types.ping, 0, 0, 'abc')], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.7 an ACK that nobody asked for', send: [frame(types.ping, 1, 0, u32(0, 0))], gives: 'ignored' },
  { name: '6.8 GOAWAY on a stream', send: [frame(types.goAway, 0, 1, u32(0, 0))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.8 GOAWAY of a wrong size', send: [frame(types.goAway, 0, 0, u32(0))], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.9 WINDOW_UPDATE of nothing on the connection', send: [frame(types.window, 0, 0, u32(0))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.9 WINDOW_UPDATE of nothing on a stream', send: [upload, frame(types.window, 0, 1, u32(0))], gives: 'RST PROTOCOL_ERROR' },
  { name: '6.9 WINDOW_UPDATE of a wrong size', send: [frame(types.window, 0, 0, 'abc')], gives: 'GOAWAY FRAME_SIZE_ERROR' },
  { name: '6.9.1 a window of the connection above 2^31-1', send: [frame(types.window, 0, 0, u32(0x7fffffff))], gives: 'GOAWAY FLOW_CONTROL_ERROR' },
  { name: '6.9.1 a window of a stream above 2^31-1', send: [upload, frame(types.window, 0, 1, u32(0x7fffffff))], gives: 'RST FLOW_CONTROL_ERROR' },
  { name: '6.9.2 settings that widen a window beyond 2^31-1', send: [upload, frame(types.window, 0, 1, u32(0x7fffffff - 65_535)), setting([4, 65_536])], gives: 'GOAWAY FLOW_CONTROL_ERROR' },
  {
    name: '6.9.1 more DATA than the window of the stream', gives: 'RST FLOW_CONTROL_ERROR',
    send: [headers(1, post('/unread'), false), ...Array.from({ length: 17 }, () => data(1, Buffer.alloc(16_384)))],
  },
  { name: '6.10 CONTINUATION behind a whole head', send: [upload, frame(types.continuation, 4, 1, block(['x', 'y']))], gives: 'GOAWAY PROTOCOL_ERROR' },
  { name: '6.10 a head in three pieces', send: [frame(types.headers, 1, 1, block(get()).subarray(0, 5)), frame(types.continuation, 0, 1, block(get()).subarray(5, 9)), frame(types.continuation, 4, 1, block(get()).subarray(9))], gives: 'answered' },
  { name: '8.1 a second head that does not end the stream', send: [upload, headers(1, ['x-t', '1'], false)], gives: 'RST PROTOCOL_ERROR' },
  { name: '8.1 a pseudo-field in trailers', send: [upload, headers(1, [':method', 'GET'])], gives: 'RST PROTOCOL_ERROR' },
  { name: '8.1 a name in upper case in trailers', send: [upload, headers(1, ['X-T', '1'])], gives: 'RST PROTOCOL_ERROR' },
]

/** Nobody reads the bodies of such requests, and nobody answers them before their client is gone. */
const unread: Filter = {
  name: 'unread',
  onRequest: (x) => x.request.path !== '/unread' ? undefined : new Promise((_, reject) => { x.ending.listen({ onExchangeEnd: reject }) }),
}

async function served (client: H2Client): Promise<void> {
  client.send(headers(99, get('/after')))
  assert.equal(await client.status(99), 200)
}

async function outcome (client: H2Client, { gives }: Case): Promise<void> {
  const [what, code] = gives.split(' ')
  if (what === 'GOAWAY') return assert.equal(await client.gone(), code)
  if (what === 'RST') {
    assert.equal(await client.reset(1), code)
    return served(client)
  }
  if (what === 'answered') assert.equal(await client.status(1), 200)
  if (what !== 'refused') return served(client)
  await client.until('the end', () => client.closed)
}

test('wrong frames end a stream or the connection, with the code the RFC names', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => {
    if (request.url === '/wait') return
    request.resume().on('end', () => response.end('fine'))
  })
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { priorKnowledge: true }, filters: [unread] })
  for (const one of cases) {
    await t.test(one.name, async (t) => {
      const client = await h2Client(t, port, one.raw === true ? { silent: true } : {})
      client.send(...one.send)
      if (one.gives === 'refused') return void await new Promise((resolve) => { client.socket.once('close', resolve) })
      if (one.later !== undefined) {
        await client.until('the whole answer', ({ stream, flags, type }) => stream === 1 && (flags & 1) === 1 && type <= 1)
        client.send(...one.later)
      }
      await outcome(client, one)
    })
  }
})
