import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { WebSocket, WebSocketServer, type ClientOptions, type ServerOptions } from 'ws'
import { atEnd } from './at-end.ts'

export const webSocketKey = 'dGhlIHNhbXBsZSBub25jZQ=='

/** A handshake as a client of HTTP/1.1 sends it. */
export const webSocketRequest = `GET /chat?x=1 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Key: ${webSocketKey}\r\nSec-WebSocket-Version: 13\r\n\r\n`

/** The answer that accepts the handshake in `head`. `more`: further field lines. */
export function acceptingHandshake (head: string, more = ''): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(head)?.[1] ?? ''
  const proof = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${proof}\r\n${more}\r\n`
}

/** A real server; closed after the test. */
export async function webSocketServer (t: TestContext, options: ServerOptions = {}): Promise<{ readonly server: WebSocketServer, readonly port: number }> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await once(server, 'listening')
  t.after(() => {
    for (const client of server.clients) client.terminate()
    server.close()
  })
  return { server, port: (server.address() as AddressInfo).port }
}

/** One that sends back what it gets. */
export async function echoServer (t: TestContext, options: ServerOptions = {}) {
  const started = await webSocketServer(t, options)
  started.server.on('connection', (socket) => {
    socket.on('error', () => { /* a test may break it */ })
    socket.on('message', (data, binary) => socket.send(data, { binary }))
  })
  return started
}

/** An open client; rejects with the status when it is refused. */
export async function webSocketClient (t: TestContext, port: number, options: ClientOptions = {}): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`, options)
  atEnd(t, () => client.terminate())
  await new Promise<void>((resolve, reject) => {
    client.once('open', resolve)
    client.once('unexpected-response', (_request, response) => reject(new Error(String(response.statusCode))))
    client.once('error', reject)
  })
  client.on('error', () => { /* a test may break it */ })
  return client
}

/** Code of the end. */
export async function closed (socket: WebSocket): Promise<number> {
  if (socket.readyState === WebSocket.CLOSED) throw new Error('it was closed before anybody looked')
  const [code] = await once(socket, 'close') as [number]
  return code
}

/** The echo of a message. */
export async function echoOf (socket: WebSocket, text: string): Promise<string> {
  socket.send(text)
  const [data] = await once(socket, 'message') as [Buffer]
  return String(data)
}
