// Thousands of malformed requests and replies: the process lives on, serves the next request, and holds nothing open.
import assert from 'node:assert/strict'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test } from 'node:test'
import { allow, everything, rawAgent } from '../support/raw-agent.ts'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'
import { eventually } from '../support/eventually.ts'

/** The same numbers for the same seed (mulberry32), so that a failure can be had again. */
function random (seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

const seeds = [
  'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
  'POST /x?y=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello',
  'POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n5;e=1\r\nhello\r\n0\r\nX-T: 1\r\n\r\n',
  'GET http://a.test:80/%2e%2e/x HTTP/1.1\r\nHost: b\r\nConnection: close, X-A\r\nX-A: 1\r\nExpect: 100-continue\r\n\r\n',
  'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.0\r\n\r\n',
  'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n',
  'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: x\r\n\r\n',
]
const splices = ['\r\n', '\n', '\r', '\0', ':', ' ', '\t', '%', '/', '\\', 'Content-Length: 3\r\n', 'Transfer-Encoding: chunked\r\n', 'Host: b\r\n', '0\r\n\r\n', 'ffffffffff\r\n', '\xff\xfe', 'HTTP/1.1', '..;/', seeds[0]!]

function mutate (pick: (below: number) => number): Buffer {
  let text = seeds[pick(seeds.length)]!
  for (let edits = 1 + pick(4); edits > 0; edits--) {
    const at = pick(text.length + 1)
    switch (pick(4)) {
      case 0: text = text.slice(0, at) + splices[pick(splices.length)]! + text.slice(at); break
      case 1: text = text.slice(0, at) + text.slice(at + 1 + pick(6)); break
      case 2: text = text.slice(0, at) + String.fromCharCode(pick(256)) + text.slice(at + 1); break
      case 3: text = text.slice(0, at); break
    }
  }
  return Buffer.from(text, 'latin1')
}

/** Sends bytes and goes away in one of several ways; resolves when the connection is closed. */
function strike (port: number, bytes: Buffer, pick: (below: number) => number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const way = pick(4)
    socket.on('error', () => {}).on('close', () => resolve())
    socket.on('connect', () => {
      socket.write(bytes)
      if (way === 0) socket.destroy()
      else if (way === 1) socket.end()
      else setTimeout(() => { if (way === 2) socket.resetAndDestroy(); else socket.destroy() }, 2 + pick(10))
    })
    socket.resume()
  })
}

async function settled (sentinel: RunningSentinel): Promise<void> {
  await eventually('no exchange is left', async () => /^sentinel_active_requests 0$/m.test(await sentinel.metrics()))
  await eventually('it serves', async () => (await sentinel.get('/alive')).status === 200)
  assert.equal(sentinel.process.exitCode, null)
  assert.deepEqual(sentinel.log.filter(({ code, level }) => code === 'INTERNAL' || level === 0), [])
  assert.deepEqual(sentinel.access.filter(({ fault }) => fault === 'INTERNAL').map(({ detail }) => detail), [])
}

test('three thousand malformed requests leave the proxy as it was', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = await rawAgent(t, { describe: everything })
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "2s" }`, ['raw'], 'limits { max-body-size "4KiB" }'))
  const pick = random(20_240_607)
  for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 50 }, () => strike(sentinel.port(), mutate(pick), pick)))
  await settled(sentinel)
})

test('uploads above the limit, whole or cut, on new and used connections to the upstream, end nothing but themselves', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, siteWith(upstream.port, '', [], 'limits { max-body-size "16KiB" }'))
  const pick = random(7)
  for (let round = 0; round < 10; round++) {
    await sentinel.get('/warm')
    await Promise.all(Array.from({ length: 10 }, () => {
      const chunk = `1000\r\n${'x'.repeat(4096)}\r\n`
      return strike(sentinel.port(), Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(3 + pick(30))}`), pick)
    }))
  }
  await settled(sentinel)
})

const upstreamWords = [
  'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel', 'HTTP/1.1 100 Continue\r\n\r\n', 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n',
  'HTTP/1.1 099 No\r\n\r\n', '\0', '\r\n', 'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end', 'HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
]

test('an upstream that answers anything at any moment, to clients that leave at any moment, ends nothing but those requests', async (t) => {
  const pick = random(4_711)
  let wild = true
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    if (wild && pick(8) === 0) return void socket.destroy()
    if (wild && pick(8) === 0) socket.write(upstreamWords[pick(upstreamWords.length)]!)
    socket.on('data', () => {
      if (!wild) return void socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
      const say = (): void => {
        for (let words = pick(3); words >= 0; words--) if (!socket.writableEnded) socket.write(upstreamWords[pick(upstreamWords.length)]!, 'latin1')
        switch (pick(6)) {
          case 0: socket.end(); break
          case 1: socket.destroy(); break
          // Node keeps the handle of a socket that is reset while it ends, and then never exits.
          case 2: if (socket.writableEnded) socket.destroy(); else socket.resetAndDestroy()
        }
      }
      if (pick(2) === 0) say()
      else setTimeout(say, pick(8))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const kdl = siteWith((server.address() as AddressInfo).port, '', [], 'limits { max-body-size "48KiB" }') // A TCP server has an address.
  const sentinel = await startSentinel(t, kdl.replace(/target "[^"]+"/, (target) => `${target}; timeouts { read "1s" }`))
  const long = `POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${`1000\r\n${'x'.repeat(4096)}\r\n`.repeat(10)}`
  const requests = ['GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3), 'HEAD / HTTP/1.1\r\nHost: a\r\n\r\n', long, `${long}${long}`, `${long}0\r\n\r\n`, seeds[1]!, seeds[2]!]
  for (let round = 0; round < 60; round++) {
    await Promise.all(Array.from({ length: 30 }, () => strike(sentinel.port(), Buffer.from(requests[pick(requests.length)]!), pick)))
  }
  wild = false
  for (const socket of sockets) socket.destroy()
  await settled(sentinel)
})

test('two thousand malformed replies of an agent fail closed, and it is asked again when it behaves', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const agent = await rawAgent(t, { describe: everything })
  const pick = random(99)
  let wild = true
  agent.script.onEvent = (event, wire) => {
    if (event.timeoutMs === 0) return
    if (!wild) return wire.reply(event, allow)
    const noise = Buffer.from(Array.from({ length: 1 + pick(60) }, () => pick(256)))
    const head = Buffer.alloc(5)
    head.writeUInt32BE(pick(3) === 0 ? pick(2 ** 31) : noise.length, 1)
    for (let i = 0; i < 10; i++) wire.raw(pick(4) === 0 ? noise : Buffer.concat([head, noise]))
  }
  const sentinel = await startSentinel(t, siteWith(upstream.port, `agent "raw" { unix-socket "${agent.path}"; timeout "300ms" }`, ['raw']))
  for (let round = 0; round < 50; round++) {
    const answers = await Promise.all([0, 1, 2, 3].map(() => sentinel.get('/')))
    for (const { status } of answers) assert.equal(status, 503)
  }
  assert.equal(upstream.heads(), 0)
  wild = false
  await eventually('it recovers', async () => (await sentinel.get('/')).status === 200)
  await settled(sentinel)
})
