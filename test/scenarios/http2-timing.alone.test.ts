import assert from 'node:assert/strict'
import { atATime } from '../support/at-a-time.ts'
import { data, frame, get, h2Client, headers, post, setting, types, u32 } from '../support/h2-client.ts'
import { startProxy } from '../support/proxy.ts'
import { httpUpstream } from '../support/upstream.ts'

const test = atATime(3)

const short = { priorKnowledge: true, requestTimeoutMs: 1_000, bodyIdleTimeoutMs: 1_000, keepaliveTimeoutMs: 1_000 }

test('a connection without requests is ended, and PING does not keep it', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')))
  assert.equal(await client.status(1), 200)
  const pings = setInterval(() => client.send(frame(types.ping, 0, 0, u32(1, 2))), 50)
  t.after(() => clearInterval(pings))
  assert.equal(await client.gone(30_000), 'NO_ERROR')
})

test('a connection that says nothing is ended', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port, { silent: true })
  await new Promise((resolve) => { client.socket.once('close', resolve) })
})

test('a body that stops coming is answered with 408', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => { request.resume().on('end', () => response.end()) })
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port)
  client.send(headers(1, post('/'), false), data(1, 'abc'))
  assert.equal(await client.status(1), 408)
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_TIMEOUT')
})

test('an answer that its client does not take is given up, and nothing else', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => response.end(request.url === '/' ? 'x'.repeat(1_000_000) : ''))
  const { port, exchange } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port, { first: [setting([4, 10])] })
  client.send(headers(1, get('/')))
  assert.equal(await client.reset(1), 'CANCEL')
  assert.equal((await exchange(1)).fault?.code, 'CLIENT_GONE')
  client.send(headers(3, get('/empty')))
  assert.equal(await client.status(3), 200)
})

test('a client that reads nothing at all is cut off', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end(Buffer.alloc(50_000_000)))
  const { port, listener } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port, { first: [setting([4, 0x7fffffff]), frame(types.window, 0, 0, u32(0x7fff0000))] })
  client.send(headers(1, get('/')))
  client.socket.pause()
  while (listener.connections > 0) await new Promise((resolve) => { setTimeout(resolve, 20) })
})

test('a head that does not end is given up, with whatever else is going on', async (t) => {
  const upstream = await httpUpstream(t, () => { /* no answer */ })
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { ...short, bodyIdleTimeoutMs: 60_000 } })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')), headers(3, get('/')).subarray(0, 20))
  assert.equal(await client.gone(30_000), 'ENHANCE_YOUR_CALM')
})

test('a frame that comes a byte at a time is given up when it should have ended, not that long behind its last byte', async (t) => {
  const upstream = await httpUpstream(t, (_, response) => response.end())
  const { port } = await startProxy(t, { targets: [upstream.port], listener: short })
  const client = await h2Client(t, port)
  client.send(headers(1, get('/')))
  assert.equal(await client.status(1), 200)
  client.send(frame(0xee, 0, 0, Buffer.alloc(16_384)).subarray(0, 12))
  const bytes = setInterval(() => client.socket.write(Buffer.from([0])), 50)
  t.after(() => clearInterval(bytes))
  assert.equal(await client.gone(), 'ENHANCE_YOUR_CALM')
})

test('frames that follow each other without a pause are none that does not end', async (t) => {
  const upstream = await httpUpstream(t, (request, response) => { request.resume().on('end', () => response.end()) })
  const { port } = await startProxy(t, { targets: [upstream.port], listener: { ...short, requestTimeoutMs: 1_000, bodyIdleTimeoutMs: 1_000 } })
  const client = await h2Client(t, port)
  client.send(headers(1, post('/'), false))
  // What the client answers by itself is out.
  await client.ping()
  const piece = data(1, 'x'.repeat(100))
  // Where one frame ends the next has begun: there is always one that has not ended.
  client.socket.write(piece.subarray(0, 50))
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => { setTimeout(resolve, 100) })
    client.socket.write(Buffer.concat([piece.subarray(50), piece.subarray(0, 50)]))
  }
  client.socket.write(Buffer.concat([piece.subarray(50), data(1, '', true)]))
  assert.equal(await client.status(1), 200)
})
