import { createSecureServer, createServer, type Http2SecureServer, type Http2Server, type Http2ServerRequest, type Http2ServerResponse, type ServerOptions, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import type { KeyPair } from './authority.ts'

export interface Http2Upstream {
  readonly port: number
  readonly server: Http2Server | Http2SecureServer
  /** All that were ever opened. */
  readonly sessions: readonly ServerHttp2Session[]
  /** Connections accepted so far. */
  readonly connections: number
}

export interface Http2UpstreamOptions extends ServerOptions {
  /** It speaks TLS; HTTP/1.1 as well with `allowHTTP1`. */
  readonly tls?: KeyPair
  readonly allowHTTP1?: boolean
}

/** A server of Node's own HTTP/2; closed after the test. */
export async function http2Upstream (t: TestContext, listener: (request: Http2ServerRequest, response: Http2ServerResponse) => void, { tls, ...options }: Http2UpstreamOptions = {}): Promise<Http2Upstream> {
  const server = tls === undefined ? createServer(options, listener) : createSecureServer({ ...options, cert: tls.cert, key: tls.key }, listener)
  const sessions: ServerHttp2Session[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  server.on('session', (session) => {
    sessions.push(session)
    session.on('error', () => { /* a test may break it */ })
  })
  server.on('sessionError', () => { /* likewise */ })
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
    socket.on('error', () => { /* likewise */ })
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, server, sessions, get connections () { return connections } } // It listens on a port.
}
