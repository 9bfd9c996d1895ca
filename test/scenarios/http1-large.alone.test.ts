import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const mib = 1024 ** 2
/** `SENTINEL_LARGE_GIB=5` for as much as the promise says; less shows the same in less time. */
const gib = Number(process.env['SENTINEL_LARGE_GIB'] ?? 1)
const size = gib * 1024 * mib
/** What a transfer of any size may take on top of its first 64 MiB; those have the buffers of a process at work. */
const allowedGrowth = 50 * mib
const allowedInAll = 100 * mib
const firstBytes = 64 * mib

const chunk = Buffer.alloc(256 * 1024, 'x')
const framedChunk = Buffer.concat([Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from('\r\n')])
const lastChunk = '0\r\n\r\n'

/** Bytes of the transfer that runs. */
let passed = 0

/** Memory of the process now. */
function residentBytes (pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) * 1024
}

/** Sends `size` bytes of body as fast as they are taken. */
function send (socket: Socket, chunked: boolean): void {
  let left = size
  const fill = (): void => {
    while (left > 0) {
      left -= chunk.length
      if (!socket.write(chunked ? framedChunk : chunk)) return
    }
    if (left === 0 && chunked) socket.write(lastChunk)
    left = -1
  }
  socket.on('drain', fill)
  fill()
}

const framing = (chunked: boolean): string => chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${size}`

/** Counts what comes behind a head, and stops now and then: what is sent meanwhile must not pile up in the proxy. Resolves at the end of the body. */
function receive (socket: Socket, pauses: boolean): Promise<number> {
  return new Promise((resolve, reject) => {
    let bytes = 0
    let head = -1
    passed = 0
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`closed after ${bytes} bytes`)))
    socket.on('data', (piece: Buffer) => {
      if (head === -1) head = piece.indexOf('\r\n\r\n') + 4
      const step = 64 * mib
      if (pauses && Math.floor(bytes / step) !== Math.floor((bytes + piece.length) / step)) {
        socket.pause()
        setTimeout(() => socket.resume(), 20)
      }
      bytes += piece.length
      passed = bytes
      if (bytes - head === size || piece.subarray(-5).toString('latin1') === lastChunk) resolve(bytes - head)
    })
  })
}

async function listening (t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const server = createServer({ highWaterMark: 256 * 1024 }, (socket) => {
    t.after(() => socket.destroy())
    socket.on('error', () => { /* the proxy may cut it */ })
    onConnection(socket)
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => { server.close() })
  return (server.address() as AddressInfo).port
}

/** How much more memory the proxy had, at its most, than when the transfer had begun. */
async function growthDuring (t: TestContext, upstreamPort: number, transfer: (proxyPort: number) => Promise<void>): Promise<number> {
  const sentinel = await startSentinel(t, siteWith(upstreamPort, '', [], 'limits { max-body-size 0 }'))
  const before = residentBytes(sentinel.pid)
  let most = before
  let first = before
  const timer = setInterval(() => {
    most = Math.max(most, residentBytes(sentinel.pid))
    if (passed < firstBytes) first = most
  }, 20)
  const startedMs = performance.now()
  await transfer(sentinel.port()).finally(() => clearInterval(timer))
  const seconds = (performance.now() - startedMs) / 1_000
  t.diagnostic(`${gib} GiB in ${seconds.toFixed(1)} s; ${(before / mib).toFixed(0)} MiB before, ${(first / mib).toFixed(0)} MiB after 64 MiB, ${(most / mib).toFixed(0)} MiB at most`)
  assert.ok(most - before < allowedInAll, `${most - before} bytes in all`)
  return most - first
}

const skip = process.platform === 'linux' ? false : 'memory of a process is read from /proc'

for (const chunked of [false, true]) {
  const name = chunked ? 'in chunks' : 'of known length'
  test(`an upload of ${gib} GiB ${name} passes with flat memory`, { timeout: 300_000, skip }, async (t) => {
    let heard: Promise<number> | undefined
    const upstream = await listening(t, (socket) => {
      heard = receive(socket, true).then((bytes) => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
        return bytes
      })
    })
    const growth = await growthDuring(t, upstream, async (port) => {
      const socket = connect(port, '127.0.0.1')
      t.after(() => socket.destroy())
      socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${framing(chunked)}\r\n\r\n`)
      send(socket, chunked)
      const [answer] = await new Promise<[Buffer]>((resolve, reject) => { socket.once('data', (bytes) => resolve([bytes])).once('error', reject) })
      assert.match(String(answer), /^HTTP\/1\.1 200 /)
      assert.ok(await heard! >= size)
    })
    assert.ok(growth < allowedGrowth, `${growth} bytes`)
  })

  test(`a download of ${gib} GiB ${name} passes with flat memory, also to a client slower than the target`, { timeout: 300_000, skip }, async (t) => {
    const upstream = await listening(t, (socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\n${framing(chunked)}\r\n\r\n`)
        send(socket, chunked)
      })
    })
    const growth = await growthDuring(t, upstream, async (port) => {
      const socket = connect(port, '127.0.0.1')
      t.after(() => socket.destroy())
      socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
      assert.ok(await receive(socket, true) >= size)
    })
    assert.ok(growth < allowedGrowth, `${growth} bytes`)
  })
}
