import { createServer, type IncomingMessage, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { Socket } from 'node:net'
import { Exchange } from '../pipeline/exchange.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import { faultReply } from '../pipeline/fault-reply.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import { Connection, type Held, type OpenExchange } from './connection.ts'
import type { Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { clientCheck, contextOptions, handshakeFailure, unwantedCertificate } from './tls-settings.ts'
import { closeSlowly, faultOfParser, refusalBytes } from './refusal.ts'
import { RequestBody } from './request-body.ts'
import { readRequestHead } from './request-head.ts'
import { newRequestId } from './request-id.ts'
import { ResponseWriter } from './response-writer.ts'

/** HTTP/1.1 and HTTPS on Node's parser, made strict. */
export function createListener (settings: ListenerSettings, hooks: ListenerHooks): Listener {
  return new Http1Listener(settings, hooks)
}

class Http1Listener implements Listener {
  readonly id: string
  address = ''
  readonly #settings: ListenerSettings
  readonly #hooks: ListenerHooks
  readonly #server: Server | TlsServer
  readonly #bySocket = new Map<Socket, Connection>()
  #closing = false

  constructor (settings: ListenerSettings, hooks: ListenerHooks) {
    this.id = settings.id
    this.#settings = settings
    this.#hooks = hooks
    const { tls } = settings
    const options = serverOptions(settings)
    this.#server = tls === undefined
      ? createServer(options)
      : createTlsServer({
          ...options, ...contextOptions(tls), ...clientCheck(tls), ALPNProtocols: ['http/1.1'],
          handshakeTimeout: Math.min(settings.requestTimeoutMs, 30_000),
        })
    this.#server.maxConnections = settings.maxConnections
    // Zero keeps all field lines: Node would drop the surplus in silence. They are counted, and bounded by their bytes.
    this.#server.maxHeadersCount = 0
    this.#listenTo(this.#server)
  }

  get connections (): number {
    return this.#bySocket.size
  }

  start (): Promise<void> {
    const { host, port } = this.#settings
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#log('INTERNAL', error.message))
        const bound = this.#server.address()
        if (bound !== null && typeof bound === 'object') {
          this.address = bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`
        }
        resolve()
      })
    })
  }

  async close (deadline: AbortSignal): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    const cut = (): void => {
      for (const socket of this.#bySocket.keys()) socket.destroy()
      this.#server.closeAllConnections()
    }
    for (const connection of this.#bySocket.values()) {
      if (connection.idle) connection.close()
      else connection.closing = connection.open !== undefined
    }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    await closed
    deadline.removeEventListener('abort', cut)
  }

  replaceTls (tls: TlsSettings): void {
    if (!('setSecureContext' in this.#server)) throw new Error(`listener ${this.id} has no TLS`)
    clientCheck({ ...tls, clientAuth: this.#settings.tls?.clientAuth ?? 'off' })
    this.#server.setSecureContext(contextOptions(tls))
  }

  #listenTo (server: Server | TlsServer): void {
    const secure = this.#settings.tls !== undefined
    server.on(secure ? 'secureConnection' : 'connection', (socket: Socket) => {
      const wrong = unwantedCertificate(socket)
      if (wrong !== undefined) {
        this.#log('BAD_REQUEST', `client certificate: ${wrong}`, socket)
        return void socket.destroy()
      }
      this.#bySocket.set(socket, new Connection(socket))
      socket.once('close', () => this.#bySocket.delete(socket))
    })
    server.on('request', (message, response) => this.#take({ message, response, expect: 'none' }))
    server.on('checkContinue', (message, response) => this.#take({ message, response, expect: 'continue' }))
    server.on('checkExpectation', (message, response) => this.#take({ message, response, expect: 'unknown' }))
    server.on('connect', (_message: IncomingMessage, socket: Socket) => this.#refuseTunnel(socket))
    server.on('clientError', (error: Error & { code?: string }, socket: Socket) => this.#unreadable(error, socket))
    server.on('tlsClientError', (error: Error, socket: Socket) => this.#log('BAD_REQUEST', handshakeFailure(error, socket), socket))
    server.on('drop', (drop?: { remoteAddress?: string }) => {
      this.#log('OVERLOADED', `more than ${this.#settings.maxConnections} connections, one dropped from ${drop?.remoteAddress ?? ''}`)
    })
  }

  /** Node parses requests ahead; they are served one after the other, because a later one may rely on an earlier one's effect. */
  #take (held: Held): void {
    const connection = this.#bySocket.get(held.message.socket)
    if (connection?.takesNow(held) === true) void this.#serveInTurn(connection, held)
  }

  async #serveInTurn (connection: Connection, first: Held): Promise<void> {
    for (let held: Held | undefined = first; held !== undefined;) {
      const open = this.#open(connection, held)
      if (open === undefined) return
      try {
        await this.#run(connection, held, open)
      } catch (error) {
        // Serve answers its own faults: what gets here is a bug, and half an answer must not look whole.
        this.#log('INTERNAL', error instanceof Error ? error.stack ?? error.message : String(error), connection.socket)
        open.writer.abort()
      }
      held = connection.finished(open)
      open.ending.end(exchangeOver)
    }
  }

  #open (connection: Connection, { message, response, expect }: Held): OpenExchange | undefined {
    const { socket } = connection
    if (socket.destroyed) return undefined
    connection.served++
    const method = message.method ?? ''
    const version = message.httpVersion
    const { 'content-length': contentLength, 'transfer-encoding': transferEncoding } = message.headers
    const { bodyIdleTimeoutMs: idleMs, keepaliveMaxRequests = Infinity, maxHeaderCount: maxFields, tls } = this.#settings
    const received = readRequestHead({
      method, target: message.url ?? '', version, fields: message.rawHeaders, scheme: tls === undefined ? 'http' : 'https', maxFields,
    })
    // A refused request may have a body as well: it has to be read away.
    const body = (contentLength ?? '0') === '0' && transferEncoding === undefined ? undefined : new RequestBody(message, {
      length: 'head' in received ? received.framing.length : undefined,
      idleMs,
      beforeFirstRead: expect === 'continue' ? () => response.writeContinue() : undefined,
    })
    const writer = new ResponseWriter(response, socket, {
      request: { method, version },
      requestBody: body,
      idleMs,
      isLast: () => this.#closing || connection.ending || connection.served >= keepaliveMaxRequests,
      beforeCutOff: (unread) => connection.closeSlowlyAfter(unread),
    })
    return connection.open = { message, received, writer, body, ending: new EndSignal() }
  }

  async #run (connection: Connection, { message, expect }: Held, { received, writer, body, ending }: OpenExchange): Promise<void> {
    const id = newRequestId()
    const refuse = (code: FaultCode, detail: string): Promise<void> => {
      this.#log(code, detail, connection.socket)
      connection.closing = true
      return writer.send(faultReply(code, id, message.headers.accept)).catch(() => writer.abort())
    }
    if (expect === 'unknown') return refuse('EXPECTATION_REFUSED', `Expect: ${message.headers.expect ?? ''}`)
    if ('code' in received) return refuse(received.code, received.detail)

    const x = new Exchange({
      id,
      startedMs: performance.now(),
      listener: this.id,
      peer: connection.peer,
      request: received.head,
      requestBody: received.framing.hasBody ? body : undefined,
      ending,
    })
    writer.exchange = x
    await this.#hooks.serve(x, writer)
    if (!writer.began && !connection.socket.destroyed) return refuse('INTERNAL', 'no answer was given')
  }

  /** Node hands the socket over at once, whatever is still being served on it: answers keep the order of their requests. */
  #refuseTunnel (socket: Socket): void {
    this.#log('METHOD_REFUSED', 'CONNECT', socket)
    const connection = this.#bySocket.get(socket)
    // Whoever takes the socket over gets its errors as well.
    socket.on('error', () => socket.destroy())
    if (connection?.open === undefined || connection.closing) {
      if (socket.writable && connection?.closing !== true) socket.write(refusalBytes('METHOD_REFUSED'))
      return closeSlowly(socket, 2_000)
    }
    connection.unreadable = true
    connection.parseFault = refusalBytes('METHOD_REFUSED')
    socket.resume()
  }

  /** The parser or its clock gave up. Node does not read from this connection any more. */
  #unreadable (error: Error & { code?: string }, socket: Socket): void {
    const code = faultOfParser(error)
    const connection = this.#bySocket.get(socket)
    if (connection?.unreadable === true) return
    const silent = code === 'CLIENT_TIMEOUT' && connection?.idle === true
    // A browser opens connections in advance: it is not told about a request that it did not send.
    if (code === undefined || silent || !socket.writable || connection === undefined) return void socket.destroy(error)
    const { open, closing } = connection
    connection.unreadable = true
    if (closing && open === undefined) return
    if (!closing) this.#log(code, error.message, socket)
    if (open === undefined) {
      socket.write(refusalBytes(code))
      connection.close()
    } else if (open.body?.arrived === false) {
      connection.closing = true
      open.body.fail(new Fault(code, error.message))
    } else {
      connection.parseFault = refusalBytes(code)
    }
  }

  #log (code: FaultCode, detail: string, socket?: Socket): void {
    this.#hooks.log?.({ listener: this.id, code, detail, peer: socket?.remoteAddress ?? '' })
  }
}

/** One object for all: an exchange that is over needs no stack trace. */
const exchangeOver = new Fault('CLIENT_GONE', 'the exchange is over')

function serverOptions (settings: ListenerSettings): ServerOptions {
  return {
    insecureHTTPParser: false,
    // Checked by readRequestHead, so that the refusal looks like the others.
    requireHostHeader: false,
    maxHeaderSize: settings.maxHeaderBytes,
    headersTimeout: settings.requestTimeoutMs,
    // Counts the body as well: a long upload is no fault. RequestBody watches for silence.
    requestTimeout: 0,
    connectionsCheckingInterval: Math.min(1_000, Math.max(50, settings.requestTimeoutMs / 4)),
    keepAliveTimeout: settings.keepaliveTimeoutMs,
    highWaterMark: 64 * 1024,
    noDelay: true,
  }
}
