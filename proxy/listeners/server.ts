import { createServer, type Server, type Socket } from 'node:net'
import type { FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import { http1 } from './http1.ts'
import type { Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { LogLimit } from './log-limit.ts'
import { TlsServer } from './tls-server.ts'

/** A bound socket and everything that comes in through it. */
export function createListener (settings: ListenerSettings, hooks: ListenerHooks): Listener {
  return new BoundListener(settings, hooks)
}

/** A connection passes three stages: accepted, secured (where there is TLS), spoken with. */
class BoundListener implements Listener {
  readonly id: string
  address = ''
  readonly #settings: ListenerSettings
  readonly #hooks: ListenerHooks
  readonly #server: Server
  readonly #tls: TlsServer | undefined
  readonly #open = new Set<ClientConnection>()
  readonly #speak: (socket: Socket) => ClientConnection
  #clock: NodeJS.Timeout | undefined = undefined
  #closing = false

  constructor (settings: ListenerSettings, hooks: ListenerHooks) {
    this.id = settings.id
    this.#settings = settings
    this.#hooks = hooks
    this.#tls = settings.tls === undefined ? undefined : this.#createTls(settings.tls)
    this.#speak = http1(settings, {
      serve: (x, client) => hooks.serve(x, client),
      log: (code, detail, socket) => this.#log(code, detail, socket),
      isClosing: () => this.#closing,
    })
    // A client that ends its side first still gets what is on its way. Over TLS the end of one side is the end of both, and half-open sockets
    // would stay for ever when a client leaves in the middle of the handshake.
    this.#server = createServer({ noDelay: true, highWaterMark: 64 * 1024, allowHalfOpen: this.#tls === undefined })
    this.#server.maxConnections = settings.maxConnections
    this.#server.on('connection', (socket: Socket) => this.#accept(socket))
    this.#server.on('drop', (drop?: { remoteAddress?: string }) => {
      this.#log('OVERLOADED', `more than ${settings.maxConnections} connections, one dropped from ${drop?.remoteAddress ?? ''}`)
    })
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
    this.#tls?.close()
    for (const connection of this.#open) connection.drain()
    const cut = (): void => {
      for (const connection of this.#open) {
        if (connection.cut === undefined) connection.socket.destroy()
        else connection.cut()
      }
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
    if (this.#tls === undefined) throw new Error(`listener ${this.id} has no TLS`)
    this.#tls.replace(tls)
  }

  renewTickets (ticketSecret: Buffer): void {
    this.#tls?.renewTickets(ticketSecret)
  }

  #accept (socket: Socket): void {
    if (this.#tls === undefined) this.#talk(socket)
    else this.#tls.accept(socket)
  }

  #createTls (tls: TlsSettings): TlsServer {
    const limit = new LogLimit()
    return new TlsServer({
      id: this.id, tls, requestTimeoutMs: this.#settings.requestTimeoutMs,
      alpn: ['http/1.1'],
      secured: (socket, ms) => {
        this.#hooks.handshake?.({ ms, version: socket.getProtocol() ?? '', resumed: socket.isSessionReused() })
        this.#talk(socket)
      },
      failed: ({ reason, detail }, socket, ms) => {
        this.#hooks.handshake?.({ ms, version: '', resumed: false, failure: reason })
        const line = limit.pass(detail)
        if (line !== undefined) this.#log('BAD_REQUEST', line, socket)
      },
    })
  }

  #talk (socket: Socket): void {
    const connection = this.#speak(socket)
    this.#open.add(connection)
    socket.once('close', () => this.#open.delete(connection))
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #expire (): void {
    const now = performance.now()
    for (const connection of this.#open) if (connection.deadline <= now) connection.expire()
  }

  #log (code: FaultCode, detail: string, socket?: Socket): void {
    this.#hooks.log?.({ listener: this.id, code, detail, peer: socket?.remoteAddress ?? '' })
  }
}
