import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'

export interface ApiServer {
  readonly port: number
  readonly requests: ReadonlyArray<{ readonly url: URL, readonly headers: IncomingMessage['headers'] }>
  /** Cuts all connections. */
  readonly cut: () => void
}

/** An HTTP interface that is scripted by its test, on a port of loopback or a Unix socket. */
export async function apiServer (
  t: TestContext, answer: (url: URL, response: ServerResponse) => void, how: { path?: string, tls?: { key: string, cert: string } } = {},
): Promise<ApiServer> {
  const requests: Array<{ url: URL, headers: IncomingMessage['headers'] }> = []
  const handle: RequestListener = ({ url = '/', headers, method }, response) => {
    if (method !== 'GET') throw new Error(`only questions are asked: ${method}`)
    requests.push({ url: new URL(url, 'http://x'), headers })
    answer(requests.at(-1)!.url, response)
  }
  const server: Server = how.tls === undefined ? createServer(handle) : createSecureServer(how.tls, handle)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => {
    if (how.path === undefined) server.listen(0, '127.0.0.1', resolve)
    else server.listen(how.path, resolve)
  })
  const cut = (): void => { for (const socket of sockets) socket.destroy() }
  t.after(() => {
    server.close()
    cut()
  })
  const address = server.address()
  return { port: address === null || typeof address === 'string' ? 0 : address.port, requests, cut }
}
