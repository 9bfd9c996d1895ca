import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { fromDist } from '../support/paths.ts'
import { rawUpstream } from '../support/upstream.ts'

const gib = 1024 ** 3
const allowedGrowth = 100 * 1024 * 1024

/** The proxy in a process of its own, so that its memory is its own. */
async function separateProxy (t: TestContext, target: number): Promise<{ port: number, peakGrowth: () => Promise<number> }> {
  const child: ChildProcess = fork(fromDist('test', 'support', 'proxy-process.js'), [String(target)])
  t.after(() => child.kill())
  const [ready] = await once(child, 'message') as [{ port: number }]
  return {
    port: ready.port,
    async peakGrowth () {
      child.send('rss')
      const [answer] = await once(child, 'message') as [{ growth: number }]
      return answer.growth
    },
  }
}

test('an upload of 1 GiB passes with flat memory', { timeout: 60_000 }, async (t) => {
  let bytes = 0
  let head = 0
  const upstream = await rawUpstreamCounting(t, (chunk, socket) => {
    if (bytes === 0) head = chunk.indexOf('\r\n\r\n') + 4
    bytes += chunk.length
    if (bytes - head === gib) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone')
  })
  const proxy = await separateProxy(t, upstream)
  const socket = connect(proxy.port, '127.0.0.1')
  t.after(() => socket.destroy())
  const chunk = Buffer.alloc(256 * 1024)
  let left = gib
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${gib}\r\n\r\n`)
  const fill = (): void => {
    while (left > 0) {
      left -= chunk.length
      if (!socket.write(chunk)) return
    }
  }
  socket.on('drain', fill)
  fill()
  const [answer] = await once(socket, 'data') as [Buffer]
  assert.match(String(answer), /^HTTP\/1\.1 200 [^]*done$/)
  const growth = await proxy.peakGrowth()
  t.diagnostic(`resident memory grew by ${(growth / 1024 / 1024).toFixed(0)} MiB`)
  assert.ok(growth < allowedGrowth, `${growth} bytes`)
})

test('a download of 1 GiB passes with flat memory, also to a client slower than the target', { timeout: 60_000 }, async (t) => {
  const chunk = Buffer.alloc(256 * 1024)
  const upstream = await rawUpstream(t, ({ socket }) => {
    let left = gib
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${gib}\r\n\r\n`)
    const fill = (): void => {
      while (left > 0) {
        left -= chunk.length
        if (!socket.write(chunk)) return
      }
    }
    socket.on('drain', fill)
    fill()
  })
  const proxy = await separateProxy(t, upstream.port)
  const socket = connect(proxy.port, '127.0.0.1')
  t.after(() => socket.destroy())
  let bytes = 0
  let head = 0
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('data', (piece) => {
      if (bytes === 0) head = piece.indexOf('\r\n\r\n') + 4
      // The client stops now and then: what the target sends meanwhile must not pile up in the proxy.
      if (Math.floor(bytes / (64 * 1024 * 1024)) !== Math.floor((bytes + piece.length) / (64 * 1024 * 1024))) {
        socket.pause()
        setTimeout(() => socket.resume(), 20)
      }
      bytes += piece.length
      if (bytes - head === gib) resolve()
    })
  })
  const growth = await proxy.peakGrowth()
  t.diagnostic(`resident memory grew by ${(growth / 1024 / 1024).toFixed(0)} MiB`)
  assert.ok(growth < allowedGrowth, `${growth} bytes`)
})

async function rawUpstreamCounting (t: TestContext, onChunk: (chunk: Buffer, socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    socket.on('data', (chunk) => onChunk(chunk, socket))
    socket.on('error', () => { /* the proxy may cut it */ })
    t.after(() => socket.destroy())
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close() })
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
