// Two thousand slow connections cost others nothing that can be noticed, and each of them ends in its time.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { test, type TestContext } from 'node:test'
import { startSentinel, type RunningSentinel } from '../support/sentinel.ts'

const slow = 2_000
const timeoutMs = 10_000

/** Sockets on both sides and towards the upstream are descriptors of this process, the proxy's of its own. */
const descriptors = Number(execFileSync('sh', ['-c', 'ulimit -n']).toString())
const possible = descriptors >= 3 * slow + 500 || Number.isNaN(descriptors) ? {} : { skip: `${descriptors} file descriptors are too few` }

async function startUpstream (t: TestContext): Promise<number> {
  const large = Buffer.alloc(8 * 1024 * 1024)
  const server = createServer((request, response) => {
    request.on('error', () => {}).resume()
    if (request.url === '/large') return void response.end(large)
    request.on('end', () => response.end('ok'))
  })
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, resolve))
  t.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function startProxy (t: TestContext, port: number): Promise<RunningSentinel> {
  return startSentinel(t, `listeners { listener "web" { address "127.0.0.1:0"; request-timeout "${timeoutMs}ms" } }
routes { route "all" { matches { path-prefix "/" }; upstream "app" } }
upstreams { upstream "app" { target "127.0.0.1:${port}" } }
observability { metrics { address "127.0.0.1:0" }; access-log { enabled #false } }`)
}

interface SlowOne {
  readonly kind: 'head' | 'body' | 'reader'
  readonly startedMs: number
  readonly socket: Socket
  answer: string
  endedMs: number | undefined
}

/** Nearly half send a head octet by octet and never end it, as many fall silent in the body, a few ask for much and read nothing: the system holds megabytes of each. */
async function attack (port: number): Promise<SlowOne[]> {
  const first = {
    head: 'GET / HTTP/1.1\r\nHost: a.test\r\nX-', body: 'POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1000000\r\n\r\n0123', reader: 'GET /large HTTP/1.1\r\nHost: a.test\r\n\r\n',
  }
  const all: SlowOne[] = []
  for (let i = 0; i < slow; i += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, j) => new Promise<void>((resolve, reject) => {
      const kind = (i + j) % 20 === 0 ? 'reader' : (i + j) % 2 === 0 ? 'head' : 'body'
      const socket = connect({ port, host: '127.0.0.1' }, () => resolve())
      const one: SlowOne = { kind, startedMs: performance.now(), socket, answer: '', endedMs: undefined }
      if (kind === 'reader') socket.pause()
      else socket.on('data', (bytes: Buffer) => { one.answer += bytes.toString('latin1') })
      socket.on('error', reject).on('close', () => { one.endedMs ??= performance.now() })
      socket.write(first[kind])
      all.push(one)
    })))
  }
  return all
}

/** The heads grow on, in the meantime: silence would be too easy. */
function drip (all: readonly SlowOne[]): NodeJS.Timeout {
  return setInterval(() => {
    for (const { kind, socket } of all) if (kind === 'head' && socket.writable) socket.write('x')
  }, 1_000)
}

/** Milliseconds of requests one after the other, on one connection. */
async function batch (port: number, count: number): Promise<number[]> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  const times: number[] = []
  let received = ''
  for (let i = 0; i < count; i++) {
    const started = performance.now()
    socket.write('GET / HTTP/1.1\r\nHost: a.test\r\n\r\n')
    while (!received.endsWith('ok')) received += await new Promise<string>((resolve, reject) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1'))).once('close', () => reject(new Error('closed')))
    })
    socket.removeAllListeners('close')
    received = ''
    times.push(performance.now() - started)
  }
  socket.destroy()
  return times
}

function median (values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1]!
}

function residentMb (pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

test('2 000 slow connections slow others by less than a tenth, and end in their time', { ...possible, timeout: 300_000 }, async (t) => {
  const port = await startUpstream(t)
  // Two programs in turns: what else happens on the machine happens to both.
  const [attacked, calm] = [await startProxy(t, port), await startProxy(t, port)]
  for (const { port: listener } of [attacked, calm]) await batch(listener(), 500)
  const before = residentMb(attacked.pid)
  const all = await attack(attacked.port())
  const dripping = drip(all)
  t.after(() => {
    clearInterval(dripping)
    for (const { socket } of all) socket.destroy()
  })
  await new Promise((resolve) => setTimeout(resolve, 300))
  const ratios: number[] = []
  // As long as all of them are there, and longer than a few where the machine does other things as well.
  while ((ratios.length < 25 || median(ratios) > 1.1) && all.every(({ endedMs }) => endedMs === undefined)) {
    ratios.push(median(await batch(attacked.port(), 50)) / median(await batch(calm.port(), 50)))
  }
  assert.ok(ratios.length >= 5, `only ${ratios.length} batches: this machine has no time`)
  const grown = residentMb(attacked.pid) - before
  t.diagnostic(`${ratios.length} pairs of batches, ratio of medians ${median(ratios).toFixed(3)}; memory grew by ${grown.toFixed(1)} MB`)
  assert.ok(median(ratios) <= 1.1, `others take ${median(ratios).toFixed(3)} times as long: ${ratios.map((one) => one.toFixed(2)).join(' ')}`)
  // A slow reader holds what its socket and the two sides of the proxy hold; the answers alone are 800 MB.
  assert.ok(grown < 250, `memory grew by ${grown.toFixed(0)} MB`)

  const lastMs = performance.now() + 2 * timeoutMs + 60_000
  while (all.some(({ kind, endedMs }) => kind !== 'reader' && endedMs === undefined) && performance.now() < lastMs) await new Promise((resolve) => setTimeout(resolve, 50))
  for (const { kind, startedMs, answer, endedMs } of all) {
    if (kind === 'reader') continue
    assert.match(answer, /^HTTP\/1\.1 408 /, kind)
    const ms = (endedMs ?? Infinity) - startedMs
    assert.ok(ms > timeoutMs - 500 && ms < timeoutMs + 8_000, `a slow ${kind} ended after ${ms.toFixed(0)} ms`)
  }
  // They read nothing, not even the end of it: the proxy itself knows when they are gone.
  while (!/sentinel_open_connections\{listener="web"\} 0\n/.test(await attacked.metrics())) {
    assert.ok(performance.now() < lastMs, 'a slow reader is still there')
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
})
