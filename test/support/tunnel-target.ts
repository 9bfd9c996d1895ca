import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { http2Upstream, type Http2Upstream, type Http2UpstreamOptions } from './http2-upstream.ts'

export interface TunnelTarget extends Http2Upstream {
  /** What each tunnel was asked in. */
  readonly tunnels: string[]
}

/** Echoes what WebSockets say, on streams and, where it speaks that, in HTTP/1.1; answers other requests. */
export async function tunnelTarget (t: TestContext, options: Http2UpstreamOptions): Promise<TunnelTarget> {
  const tunnels: string[] = []
  const upstream = await http2Upstream(t, (incoming, response) => void response.end(incoming.httpVersion), options)
  const echo = (socket: WebSocket): void => { socket.on('error', () => {}).on('message', (message, binary) => socket.send(message, { binary })) }
  const server = new WebSocketServer({ noServer: true })
  upstream.server.on('connect', (incoming: Http2ServerRequest, response: Http2ServerResponse) => {
    if (incoming.url === '/refused') return void response.writeHead(403, { 'x-why': 'no' }).end('refused')
    tunnels.push(`${incoming.httpVersion} ${incoming.headers[':protocol'] as string} ${incoming.headers['sec-websocket-key'] ?? 'no key'}`)
    const stream: ServerHttp2Stream = incoming.stream
    stream.respond({ ':status': 200, 'x-a': '1' })
    // How the library takes a stream in place of a socket; its types do not tell.
    const socket = new (WebSocket as unknown as new (address: null, protocols: undefined, options: object) => WebSocket & { setSocket (stream: unknown, head: Buffer, options: object): void })(null, undefined, {})
    socket.setSocket(Object.assign(stream, { setNoDelay () {} }), Buffer.alloc(0), { maxPayload: 1 << 20, skipUTF8Validation: false })
    echo(socket)
  })
  upstream.server.on('upgrade', (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    tunnels.push(incoming.httpVersion)
    server.handleUpgrade(incoming, socket, head, echo)
  })
  return Object.assign(upstream, { tunnels })
}
