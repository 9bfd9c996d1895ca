import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import type { FaultCode } from '../pipeline/faults.ts'
import { bind } from './bind.ts'
import type { ClientConnection } from './client-connection.ts'
import { http1 } from './http1.ts'
import type { Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { acceptedSocket, addressOf, stateEnds, unixEnds } from './peer.ts'
import { introduction, type Introduction } from './proxy-protocol.ts'
import { clientCheck, contextOptions, handshakeFailure, unwantedCertificate } from './tls-settings.ts'

/** A bound socket and everything that comes in through it. */
export function createListener (settings: ListenerSettings, hooks: ListenerHooks): Listener {
  return new BoundListener(settings, hooks)
}

/** A connection passes stages: accepted, introduced (where its sender speaks for somebody else), let in, secured (where there is TLS), spoken with. */
class BoundListener implements Listener {
  readonly id: string
  address = ''
  readonly #settings: ListenerSettings
  readonly #hooks: ListenerHooks
  readonly #server: Server
  /** Never bound: it is handed the accepted sockets. */
  readonly #tls: TlsServer | undefined
  readonly #open = new Set<ClientConnection>()
  /** Connections that nobody speaks on yet: the header or the TLS handshake in front of it is not done. */
  readonly #early = new Set<Socket>()
  readonly #introduction: Introduction | undefined
  readonly #speak: (socket: Socket) => ClientConnection
  #clock: NodeJS.Timeout | undefined = undefined
  #closing = false

  constructor (settings: ListenerSettings, hooks: ListenerHooks) {
    this.id = settings.id
    this.#settings = settings
    this.#hooks = hooks
    this.#introduction = settings.proxyProtocol === undefined ? undefined : introduction(settings.proxyProtocol, settings.requestTimeoutMs)
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

  async start (): Promise<void> {
    const { requestTimeoutMs, keepaliveTimeoutMs } = this.#settings
    const interval = Math.min(1_000, Math.max(50, Math.min(requestTimeoutMs, keepaliveTimeoutMs) / 4))
    this.address = await bind(this.#server, this.#settings)
    this.#server.on('error', (error) => this.#log('INTERNAL', error.message))
    this.#clock = setInterval(() => this.#expire(), interval).unref()
  }

  async close (deadline: AbortSignal): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    // They have asked for nothing yet.
    for (const socket of this.#early) socket.destroy()
    for (const connection of this.#open) connection.drain()
    const cut = (): void => {
      for (const { socket } of this.#open) socket.destroy()
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
    clientCheck({ ...tls, clientAuth: this.#settings.tls?.clientAuth ?? 'off' })
    this.#tls.setSecureContext(contextOptions(tls))
  }

  #accept (socket: Socket): void {
    if (this.#settings.unix !== undefined) stateEnds(socket, unixEnds)
    if (this.#introduction?.concerns(socket) === true) this.#introduce(socket, this.#introduction)
    else this.#letIn(socket)
  }

  /** The sender has a place of its own only for as long as nobody knows whom it speaks for. */
  #introduce (socket: Socket, introduction: Introduction): void {
    this.#early.add(socket)
    introduction.begin(socket, (wrong) => {
      this.#early.delete(socket)
      if (wrong === undefined) {
        // TLS takes what is in the socket by itself.
        this.#letIn(socket)
        return void (this.#tls === undefined && socket.resume())
      }
      if (!this.#closing) this.#log('BAD_REQUEST', `PROXY header: ${wrong}`, socket)
      socket.destroy()
    })
  }

  #letIn (socket: Socket): void {
    const place = this.#hooks.enter?.(addressOf(socket))
    if (typeof place === 'string') {
      this.#log(place === 'client' ? 'CLIENT_BUSY' : 'OVERLOADED', place === 'client' ? 'more connections of one client than allowed' : 'more connections of all listeners than allowed', socket)
      return void socket.destroy()
    }
    if (place !== undefined) socket.on('close', () => place.leave())
    if (this.#tls === undefined) return this.#talk(socket)
    this.#early.add(socket)
    socket.once('close', () => this.#early.delete(socket))
    this.#tls.emit('connection', socket)
  }

  /** The handshake takes place within its own time. */
  #createTls (tls: TlsSettings): TlsServer {
    const server = createTlsServer({
      ...contextOptions(tls), ...clientCheck(tls), ALPNProtocols: ['http/1.1'],
      handshakeTimeout: Math.min(this.#settings.requestTimeoutMs, 30_000),
    })
    server.on('secureConnection', (socket) => {
      this.#early.delete(acceptedSocket(socket))
      const wrong = unwantedCertificate(socket)
      if (wrong === undefined) return this.#talk(socket)
      this.#log('BAD_REQUEST', `client certificate: ${wrong}`, socket)
      socket.destroy()
    })
    server.on('tlsClientError', (error: Error, socket) => {
      this.#log('BAD_REQUEST', handshakeFailure(error, socket), socket)
      socket.destroy()
    })
    return server
  }

  #talk (socket: Socket): void {
    const connection = this.#speak(socket)
    this.#open.add(connection)
    socket.on('close', () => this.#open.delete(connection))
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #expire (): void {
    const now = performance.now()
    for (const connection of this.#open) if (connection.deadline <= now) connection.expire()
  }

  #log (code: FaultCode, detail: string, socket?: Socket): void {
    this.#hooks.log?.({ listener: this.id, code, detail, peer: socket === undefined ? '' : addressOf(socket) })
  }
}
