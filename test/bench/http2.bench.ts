import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { Agent, request } from 'node:http'
import { createServer as createHttp2 } from 'node:http2'
import { createServer, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startProxy } from '../support/proxy.ts'

/** Processor time for a request over HTTP/2 through the listener of this repository, and through node:http2: microseconds, h2load as the client. */

const answer = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`
const rounds = 4
const requests = 8_000

type Role = 'ours' | 'node:http2' | 'upstream'
const roles: Record<Role, (upstream: number) => Promise<number>> = {
  'ours': async (upstream) => (await startProxy(undefined, { targets: [upstream], listener: { priorKnowledge: true }, upstream: { poolMaxConnections: 200 } })).port,
  'node:http2': (upstream) => listen(nodeProxy(upstream)),
  'upstream': () => listen(createServer({ noDelay: true }, (socket) => {
    socket.on('data', (bytes) => socket.write(answer.repeat(bytes.toString('latin1').split('\r\n\r\n').length - 1)))
    socket.on('error', () => {})
  })),
}

/** The smallest proxy that can be made of Node's own parts: no routes, no log, no limits. */
function nodeProxy (upstream: number): ReturnType<typeof createHttp2> {
  const agent = new Agent({ keepAlive: true, maxSockets: 200 })
  const server = createHttp2({ settings: { maxConcurrentStreams: 100 } })
  server.on('stream', (stream, { ':method': method, ':path': path, ':authority': host }) => {
    const sent = request({ agent, port: upstream, host: '127.0.0.1', method, path, headers: { host } }, (received) => {
      const { connection: _, 'keep-alive': __, 'transfer-encoding': ___, ...headers } = received.headers
      stream.respond({ ':status': received.statusCode, ...headers })
      received.pipe(stream)
    })
    stream.on('error', () => {})
    stream.pipe(sent)
  })
  return server
}

function listen (server: { listen (port: number, host: string, done: () => void): unknown, address (): AddressInfo | string | null }): Promise<number> {
  return new Promise((resolve) => { server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)) })
}

function start (role: Role, upstream: number): Promise<{ child: ChildProcess, port: number }> {
  const child = fork(fileURLToPath(import.meta.url), [role, String(upstream)])
  return new Promise((resolve) => { child.once('message', (port) => resolve({ child, port: Number(port) })) })
}

function cpu (child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('message', (microseconds) => resolve(Number(microseconds)))
    child.send('cpu')
  })
}

async function measure (role: Role, upstream: number, streams: number): Promise<number> {
  const { child, port } = await start(role, upstream)
  const load = (): void => { spawnSync('h2load', ['-n', String(requests), '-c', '2', '-m', String(streams), `http://127.0.0.1:${port}/`]) }
  load()
  let best = Infinity
  for (let round = 0; round < rounds; round++) {
    const before = await cpu(child)
    load()
    best = Math.min(best, (await cpu(child) - before) / requests)
  }
  child.kill()
  return best
}

const role = process.argv[2] as Role | undefined
if (role === undefined) {
  const upstream = await start('upstream', 0)
  for (const streams of [1, 50]) {
    const ours = await measure('ours', upstream.port, streams)
    const theirs = await measure('node:http2', upstream.port, streams)
    process.stdout.write(`${String(streams).padStart(3)} streams: ours ${ours.toFixed(0)} µs, node:http2 ${theirs.toFixed(0)} µs, ratio ${(ours / theirs).toFixed(2)}\n`)
  }
  upstream.child.kill()
} else {
  process.send!(await roles[role](Number(process.argv[3])))
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send!(user + system)
  })
}
