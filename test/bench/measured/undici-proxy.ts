import { createWriteStream, readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createSecureServer } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { Pool, type Dispatcher } from 'undici'

// `undici-proxy.js PORT UPSTREAM-PORT ACCESS-LOG [CERT KEY]`: what a good afternoon makes of node:http and undici. It streams both ways
// with back-pressure, drops what belongs to one connection, adds X-Forwarded-*, writes an access log, and passes upgrades on.
const [port, upstreamPort, logFile = '', cert, key] = process.argv.slice(2)
const pool = new Pool(`http://127.0.0.1:${upstreamPort}`, { bodyTimeout: 0 })
const log = createWriteStream(logFile)
const hopByHop = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade', 'http2-settings'])

const server = cert === undefined || key === undefined
  ? createServer({ keepAliveTimeout: 75_000 }, proxy)
  // The compatible half of node:http2 gives the same two objects, as far as they are used here.
  : createSecureServer({ allowHTTP1: true, cert: readFileSync(cert), key: readFileSync(key) }, (request, response) => proxy(request as never, response as never))
server.on('upgrade', upgrade)
server.listen(Number(port), '127.0.0.1', 4096)
// By itself, so that a profile is written.
process.on('SIGTERM', () => process.exit())

function proxy (request: IncomingMessage, response: ServerResponse): void {
  const started = performance.now()
  const client = request.socket.remoteAddress
  const hasBody = request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  const method = (request.method ?? 'GET') as Dispatcher.HttpMethod
  let sending: Dispatcher.DispatchController | undefined
  response.on('drain', () => sending?.resume())
  response.on('close', () => {
    if (!response.writableFinished) sending?.abort(new Error('the client is gone'))
    log.write(`${JSON.stringify({
      time: new Date().toISOString(), client, method, path: request.url, status: response.statusCode, ms: performance.now() - started,
    })}\n`)
  })
  pool.dispatch({ method, path: request.url ?? '/', headers: forwarded(request), body: hasBody ? request : null }, {
    onRequestStart (controller) { sending = controller },
    onResponseStart (_controller, status, headers) { response.writeHead(status, endToEnd(headers)) },
    onResponseData (controller, chunk) {
      if (!response.write(chunk)) controller.pause()
    },
    onResponseEnd () { response.end() },
    onResponseError () {
      if (response.headersSent) response.destroy()
      else response.writeHead(502).end()
    },
  })
}

function forwarded (request: IncomingMessage): Record<string, string | string[]> {
  const headers = endToEnd(request.headers)
  const before = headers['x-forwarded-for']
  const client = request.socket.remoteAddress ?? ''
  headers['x-forwarded-for'] = before === undefined ? client : `${String(before)}, ${client}`
  headers['x-forwarded-proto'] = cert === undefined ? 'http' : 'https'
  headers['host'] ??= String(request.headers[':authority'] ?? '')
  return headers
}

function endToEnd (headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string | string[]> {
  const kept: Record<string, string | string[]> = {}
  for (const name in headers) {
    const value = headers[name]
    if (value !== undefined && !hopByHop.has(name) && !name.startsWith(':')) kept[name] = value
  }
  return kept
}

function upgrade (request: IncomingMessage, client: Socket, early: Buffer): void {
  const upstream = connect(Number(upstreamPort), '127.0.0.1', () => {
    const headers = { ...forwarded(request), connection: 'Upgrade', upgrade: request.headers.upgrade ?? '' }
    upstream.write(`GET ${request.url} HTTP/1.1\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`).join('')}\r\n`)
    upstream.write(early)
    upstream.pipe(client).pipe(upstream)
  })
  upstream.setNoDelay()
  client.setNoDelay()
  client.on('error', () => upstream.destroy())
  upstream.on('error', () => client.destroy())
}
