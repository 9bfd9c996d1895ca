import { createServer as createHttpServer, type IncomingMessage, type RequestListener } from 'node:http'
import { createServer, type Server, type Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface TestUpstream {
  readonly port: number
  /** Connections accepted so far. */
  readonly connections: number
  readonly sockets: ReadonlySet<Socket>
}

/** A real HTTP server; closed after the test. */
export function httpUpstream (t: TestContext, listener: RequestListener): Promise<TestUpstream> {
  return listening(t, createHttpServer({ highWaterMark: 64 * 1024 }, listener))
}

export interface RawConnection {
  readonly socket: Socket
  /** Everything received so far, latin1. */
  readonly received: string
  /** How many connections there were before this one. */
  readonly index: number
}

/** Answers with the very bytes a test wants; `onData` is called for each piece that came. */
export function rawUpstream (t: TestContext, onData: (connection: RawConnection) => void, allowHalfOpen = false): Promise<TestUpstream> {
  let accepted = 0
  return listening(t, createServer({ noDelay: true, allowHalfOpen }, (socket) => {
    const connection = { socket, received: '', index: accepted++ }
    socket.on('error', () => { /* a test may cut it */ })
    socket.on('data', (chunk) => {
      connection.received += chunk.toString('latin1')
      onData(connection)
    })
  }))
}

/** One answer for every request head that arrives, whatever it says. */
export function fixedUpstream (t: TestContext, answer: string | Buffer): Promise<TestUpstream> {
  const heads = new WeakMap<Socket, number>()
  return rawUpstream(t, ({ socket, received }) => {
    const count = received.split('\r\n\r\n').length - 1
    for (let i = heads.get(socket) ?? 0; i < count; i++) socket.write(answer, 'latin1')
    heads.set(socket, count)
  })
}

/** A port on which nobody listens. */
export async function deadPort (): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const port = portOf(server)
  await new Promise((resolve) => { server.close(resolve) })
  return port
}

/** The whole body of a message. */
export async function bytesOf (message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function listening (t: TestContext, server: Server): Promise<TestUpstream> {
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => { server.once('error', reject).listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: portOf(server), sockets, get connections () { return connections } }
}

function portOf (server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not listening on a port')
  return address.port
}
