import { randomInt } from 'node:crypto'
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

/**
 * A port on which nobody listens, and that nobody is given by chance before it is used, or while a server on it is away: it is not among those that
 * systems give to connections and to whoever asks for any (from 32768, or 49152).
 */
export async function deadPort (): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 22_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => { server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)) })
    if (!isFree) continue
    await new Promise((resolve) => { server.close(resolve) })
    return port
  }
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
