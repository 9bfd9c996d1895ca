// Some measure the way by a PING for what they receive (gRPC in Go does, to find a window that fits): as many as we send them DATA are no flood.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frame, get, h2Client, headers, setting, types, u32 } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { rawHttp2Upstream } from '../support/raw-http2-upstream.ts'
import { request } from '../support/request.ts'
import { httpUpstream } from '../support/upstream.ts'

/** 2 400 frames and more: above all that is allowed to who was sent nothing. */
const body = Buffer.alloc(40 * 1024 * 1024, 'b')
const wide = [setting([4, 0x7fff_ffff]), frame(types.window, 0, 0, u32(0x7fff_0000))]
const ping = frame(types.ping, 0, 0, Buffer.alloc(8))

test('a target that sends a PING for each piece of a body gets all of it', async (t) => {
  let bytes = 0
  let pings = 0
  const upstream = await rawHttp2Upstream(t, (connection, { type, flags, stream, payload }) => {
    if (type !== types.data) return
    bytes += payload.length
    connection.send(ping)
    pings++
    if ((flags & 1) !== 0) connection.send(headers(stream, [':status', '200']))
  }, { first: wide })
  const proxy = await startProxy(t, { targets: [upstream.port], upstream: { http2: { when: 'always', maxStreams: 100, pingIntervalMs: 0 } } })
  const { status } = await request(proxy.port, '/', { method: 'POST', body })
  assert.deepEqual([status, bytes], [200, body.length])
  assert.ok(pings > 2_000, `${pings}`)
  assert.equal(upstream.connections[0]!.closed, false)
})

test('a client that sends a PING for each piece of an answer gets all of it', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end(body))
  const proxy = await startProxy(t, { targets: [upstream.port], listener: { priorKnowledge: true } })
  const client = await h2Client(t, proxy.port, { first: wide })
  let answered = 0
  client.socket.on('data', () => {
    const received = client.frames.filter(({ type }) => type === types.data).length
    if (received > answered) client.send(Buffer.concat(Array.from({ length: received - answered }, () => ping)))
    answered = received
  })
  client.send(headers(1, get('/')))
  await client.until('the end', ({ type, flags, stream }) => type === types.data && stream === 1 && (flags & 1) !== 0)
  const pieces = client.frames.filter(({ type }) => type === types.data)
  assert.equal(pieces.reduce((sum, { payload }) => sum + payload.length, 0), body.length)
  assert.ok(pieces.length > 2_000, `${pieces.length}`)
  await client.ping()
})
