import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { Exchange } from '../pipeline/exchange.ts'
import { faultReply } from '../pipeline/fault-reply.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import { Connection, type ConnectionHooks, type OpenExchange } from './connection.ts'
import type { Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { newRequestId } from './request-id.ts'
import { clientCheck, contextOptions, handshakeFailure, unwantedCertificate } from './tls-settings.ts'

/** HTTP/1.1, plain or over TLS. */
export function createListener (settings: ListenerSettings, hooks: ListenerHooks): Listener {
  return new Http1Listener(settings, hooks)
}

class Http1Listener implements Listener {
  readonly id: string
  address = ''
  readonly #settings: ListenerSettings
  readonly #hooks: ListenerHooks
  readonly #server: Server | TlsServer
  readonly #open = new Set<Connection>()
  /** Connections whose TLS handshake is not done, by address and port of the client. */
  readonly #shaking = new Map<string, Socket>()
  readonly #connectionHooks: ConnectionHooks
  #clock: NodeJS.Timeout | undefined = undefined
  #closing = false

  constructor (settings: ListenerSettings, hooks: ListenerHooks) {
    this.id = settings.id
    this.#settings = settings
    this.#hooks = hooks
    const { tls } = settings
    this.#connectionHooks = {
      serve: (connection, open) => void this.#serve(connection, open),
      refused: (connection, code, detail) => this.#log(code, detail, connection.socket),
      isClosing: () => this.#closing,
    }
    const options = { noDelay: true, highWaterMark: 64 * 1024 }
    // A client that ends its side first still gets what is on its way. Over TLS the end of one side is the end of both, and half-open sockets
    // would stay for ever when a client leaves in the middle of the handshake.
    this.#server = tls === undefined
      ? createServer({ ...options, allowHalfOpen: true })
      : createTlsServer({
          ...options, ...contextOptions(tls), ...clientCheck(tls), ALPNProtocols: ['http/1.1'],
          handshakeTimeout: Math.min(settings.requestTimeoutMs, 30_000),
        })
    this.#server.maxConnections = settings.maxConnections
    this.#listenTo(this.#server)
  }

  get connections (): number {
    return this.#open.size
  }

  start (): Promise<void> {
    const { host, port, requestTimeoutMs, keepaliveTimeoutMs } = this.#settings
    const interval = Math.min(1_000, Math.max(50, Math.min(requestTimeoutMs, keepaliveTimeoutMs) / 4))
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', reject)
        this.#server.on('error', (error) => this.#log('INTERNAL', error.message))
        const bound = this.#server.address()
        if (bound !== null && typeof bound === 'object') {
          this.address = bound.family === 'IPv6' ? `[${bound.address}]:${bound.port}` : `${bound.address}:${bound.port}`
        }
        this.#clock = setInterval(() => this.#expire(), interval).unref()
        resolve()
      })
    })
  }

  async close (deadline: AbortSignal): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    // They have asked for nothing yet.
    for (const socket of this.#shaking.values()) socket.destroy()
    const cut = (): void => {
      for (const { socket } of this.#open) socket.destroy()
    }
    for (const connection of this.#open) {
      if (connection.idle) connection.close()
      else connection.closing ||= connection.open !== undefined
    }
    if (deadline.aborted) cut()
    else deadline.addEventListener('abort', cut, { once: true })
    await closed
    // The server counts sockets, and is done a moment before the last of them says so.
    while (this.#open.size > 0) await new Promise((resolve) => setImmediate(resolve))
    clearInterval(this.#clock)
    deadline.removeEventListener('abort', cut)
  }

  replaceTls (tls: TlsSettings): void {
    if (!('setSecureContext' in this.#server)) throw new Error(`listener ${this.id} has no TLS`)
    clientCheck({ ...tls, clientAuth: this.#settings.tls?.clientAuth ?? 'off' })
    this.#server.setSecureContext(contextOptions(tls))
  }

  #listenTo (server: Server | TlsServer): void {
    const { tls } = this.#settings
    if (tls !== undefined) {
      server.on('connection', (socket: Socket) => {
        const client = clientOf(socket)
        this.#shaking.set(client, socket)
        socket.once('close', () => this.#shaking.delete(client))
      })
    }
    server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
      this.#shaking.delete(clientOf(socket))
      const wrong = unwantedCertificate(socket)
      if (wrong !== undefined) {
        this.#log('BAD_REQUEST', `client certificate: ${wrong}`, socket)
        return void socket.destroy()
      }
      const connection = new Connection(socket, this.#settings, this.#connectionHooks)
      this.#open.add(connection)
      socket.once('close', () => this.#open.delete(connection))
    })
    server.on('tlsClientError', (error: Error, socket: Socket) => {
      this.#log('BAD_REQUEST', handshakeFailure(error, socket), socket)
      socket.destroy()
    })
    server.on('drop', (drop?: { remoteAddress?: string }) => {
      this.#log('OVERLOADED', `more than ${this.#settings.maxConnections} connections, one dropped from ${drop?.remoteAddress ?? ''}`)
    })
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #expire (): void {
    const now = performance.now()
    for (const connection of this.#open) if (connection.deadline <= now) connection.expire()
  }

  async #serve (connection: Connection, open: OpenExchange): Promise<void> {
    try {
      await this.#run(connection, open)
    } catch (error) {
      // Serve answers its own faults: what gets here is a bug, and half an answer must not look whole.
      this.#log('INTERNAL', error instanceof Error ? error.stack ?? error.message : String(error), connection.socket)
      open.writer.abort()
    }
    connection.finished(open)
    open.ending.end(exchangeOver)
  }

  async #run (connection: Connection, { received, writer, body, ending }: OpenExchange): Promise<void> {
    const id = newRequestId()
    const refuse = (code: FaultCode, detail: string): Promise<void> => {
      this.#log(code, detail, connection.socket)
      connection.closing = true
      const accept = 'head' in received ? received.head.headers.get('accept') : undefined
      return writer.send(faultReply(code, id, accept)).catch(() => writer.abort())
    }
    if ('code' in received) return refuse(received.code, received.detail)
    if (received.expect === 'unknown') return refuse('EXPECTATION_REFUSED', 'an expectation other than 100-continue')

    const x = new Exchange({
      id,
      startedMs: performance.now(),
      listener: this.id,
      peer: connection.peer,
      request: received.head,
      requestBody: body,
      ending,
    })
    writer.exchange = x
    await this.#hooks.serve(x, writer)
    if (!writer.began && !connection.socket.destroyed) return refuse('INTERNAL', 'no answer was given')
  }

  #log (code: FaultCode, detail: string, socket?: Socket): void {
    this.#hooks.log?.({ listener: this.id, code, detail, peer: socket?.remoteAddress ?? '' })
  }
}

function clientOf (socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort}`
}

/** One object for all: an exchange that is over needs no stack trace. */
const exchangeOver = new Fault('CLIENT_GONE', 'the exchange is over')
