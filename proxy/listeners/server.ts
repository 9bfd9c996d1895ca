import { createServer, type Server, type Socket } from 'node:net'
import type { FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import type { Place } from './door.ts'
import { HeldSocket, listenOn } from './held-socket.ts'
import type { Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { LogLimit } from './log-limit.ts'
import { addressOf, stateEnds, unixEnds } from './peer.ts'
import { introduction, type Introduction } from './proxy-protocol.ts'
import { offeredProtocols, speak } from './speak.ts'
import { TlsServer } from './tls-server.ts'

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
  readonly #tls: TlsServer | undefined
  readonly #open = new Set<ClientConnection>()
  /** Connections whose sender has not stated yet whom it speaks for. */
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
    this.#speak = speak(settings, {
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

  async start (held?: HeldSocket): Promise<void> {
    const { requestTimeoutMs, keepaliveTimeoutMs } = this.#settings
    const interval = Math.min(1_000, Math.max(50, Math.min(requestTimeoutMs, keepaliveTimeoutMs) / 4))
    const socket = held ?? await HeldSocket.bind(this.#settings)
    await listenOn(this.#server, socket, this.#settings.backlog)
    this.address = socket.address
    this.#server.on('error', (error) => this.#log('INTERNAL', error.message))
    this.#clock = setInterval(() => this.#expire(), interval).unref()
  }

  async close (deadline: AbortSignal): Promise<void> {
    this.#closing = true
    const closed = new Promise<void>((resolve) => { this.#server.close(() => resolve()) })
    // They have asked for nothing yet.
    for (const socket of this.#early) socket.destroy()
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
        return this.#letIn(socket, true)
      }
      if (!this.#closing) this.#log('BAD_REQUEST', `PROXY header: ${wrong}`, socket)
      socket.destroy()
    })
  }

  /** @param paused Something was read of it, and there may be more. */
  #letIn (socket: Socket, paused = false): void {
    const place = this.#hooks.enter?.(addressOf(socket))
    if (!(place instanceof Promise)) return this.#placed(socket, place, paused)
    socket.on('error', ignore)
    void place.then((placed) => {
      socket.off('error', ignore)
      if (!this.#closing && !socket.destroyed) return this.#placed(socket, placed, paused)
      if (typeof placed !== 'string') placed.leave()
      socket.destroy()
    })
  }

  #placed (socket: Socket, place: Place | 'total' | 'client' | undefined, paused: boolean): void {
    if (typeof place === 'string') {
      if (place === 'client') this.#log('CLIENT_BUSY', 'more connections of one client than allowed', socket)
      else this.#log('OVERLOADED', 'more connections of all listeners than allowed', socket)
      return void socket.destroy()
    }
    if (place !== undefined) socket.on('close', () => place.leave())
    if (this.#tls !== undefined) return this.#tls.accept(socket) // Takes what is in the socket by itself.
    this.#talk(socket)
    if (paused) socket.resume()
  }

  #createTls (tls: TlsSettings): TlsServer {
    const limit = new LogLimit()
    return new TlsServer({
      id: this.id, tls, requestTimeoutMs: this.#settings.requestTimeoutMs,
      alpn: offeredProtocols,
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

/** 'close' follows. */
function ignore (): void {}
