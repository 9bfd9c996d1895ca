import type { Socket } from 'node:net'
import { Numbered } from '../../proto/numbered.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { FaultCode } from '../pipeline/faults.ts'
import { BoundSocket, type Taker } from './bound-socket.ts'
import type { ClientConnection } from './client-connection.ts'
import type { Place } from './door.ts'
import { HeldSocket } from './held-socket.ts'
import type { CurrentSettings, Listener, ListenerHooks, ListenerSettings, TlsSettings } from './listener.ts'
import { LogLimit } from './log-limit.ts'
import { addressOf, stateEnds, unixEnds } from './peer.ts'
import { introduction, type Introduction } from './proxy-protocol.ts'
import { offeredProtocols, speak } from './speak.ts'
import { TlsServer } from './tls-server.ts'

/** Whoever waits for the end need not wait longer than that for those who have nothing more to say. */
const closingClockMs = 50

/** A bound socket and everything that comes in through it. */
export function createListener (settings: ListenerSettings, hooks: ListenerHooks): Listener {
  return new OpenListener(settings, hooks)
}

/** A connection passes stages: accepted, introduced (where its sender speaks for somebody else), let in, secured (where there is TLS), spoken with. */
class OpenListener implements Listener, Taker, CurrentSettings {
  settings: ListenerSettings
  readonly #hooks: ListenerHooks
  #socket: BoundSocket | undefined = undefined
  /** Bound by itself. */
  #own: HeldSocket | undefined = undefined
  #tls: TlsServer | undefined
  /** Replaced while handshakes were going on. */
  #formerTls: TlsServer[] = []
  readonly #open = new Numbered<ClientConnection>()
  #lastConnection = 0
  /** Connections whose sender has not stated yet whom it speaks for. */
  readonly #early = new Set<Socket>()
  #introduction: Introduction | undefined
  readonly #speak: (socket: Socket) => ClientConnection
  #clock: NodeJS.Timeout | undefined = undefined
  #closing = false

  constructor (settings: ListenerSettings, hooks: ListenerHooks) {
    this.settings = settings
    this.#hooks = hooks
    this.#introduction = introductionOf(settings)
    this.#tls = settings.tls === undefined ? undefined : this.#createTls(settings, settings.tls)
    this.#speak = speak(this, {
      serve: (x, client) => hooks.serve(x, client),
      log: (code, detail, socket) => this.#log(code, detail, socket),
      isClosing: () => this.#closing,
    })
  }

  get id (): string {
    return this.settings.id
  }

  get address (): string {
    return this.#socket?.address ?? ''
  }

  get connections (): number {
    return this.#open.size
  }

  async start (): Promise<void> {
    const own = this.#own = await HeldSocket.bind(this.settings)
    this.serve(await BoundSocket.listen(own, this.settings.backlog))
  }

  serve (socket: BoundSocket): void {
    this.#socket = socket
    socket.limit(this.settings.maxConnections)
    socket.serve(this)
    this.#setClock()
  }

  async close (deadline: AbortSignal): Promise<void> {
    this.#closing = true
    const closed = this.#socket?.close()
    this.#own?.close()
    for (const connection of this.#open.values()) connection.drain()
    this.#setClock(closingClockMs)
    const cut = (): void => {
      this.#turnAway()
      for (const connection of this.#open.values()) {
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

  replace (settings: ListenerSettings): void {
    const old = this.settings
    const tls = this.#nextTls(settings)
    if (tls !== this.#tls && this.#tls !== undefined) this.#formerTls = [...this.#formerTls.filter(({ busy }) => busy), this.#tls]
    this.settings = settings
    this.#tls = tls
    this.#socket?.queue(settings.backlog)
    this.#introduction = introductionOf(settings)
    this.#socket?.limit(settings.maxConnections)
    if (this.#socket !== undefined) this.#setClock()
    if (termsOf(old) === termsOf(settings)) return
    this.#turnAway()
    for (const connection of this.#open.values()) connection.drain()
  }

  end (which: (x: Exchange) => boolean): void {
    for (const connection of this.#open.values()) connection.end?.(which)
  }

  replaceTls (tls: TlsSettings): void {
    this.replace({ ...this.settings, tls })
  }

  renewTickets (ticketSecret: Buffer): void {
    const { tls } = this.settings
    if (tls === undefined) return
    this.settings = { ...this.settings, tls: { ...tls, ticketSecret } }
    this.#tls?.renewTickets(ticketSecret)
  }

  // What comes in through the socket.

  take (socket: Socket): void {
    // Over TLS the end of one side is the end of both, and half-open sockets would stay for ever when a client leaves in the middle of the handshake.
    if (this.#tls !== undefined) socket.allowHalfOpen = false
    if (this.settings.unix !== undefined) stateEnds(socket, unixEnds)
    if (this.#introduction?.concerns(socket) === true) this.#introduce(socket, this.#introduction)
    else this.#letIn(socket)
  }

  trouble (error: Error): void {
    this.#log('INTERNAL', error.message)
  }

  dropped (peer: string): void {
    this.#log('OVERLOADED', `more than ${this.settings.maxConnections} connections, one dropped from ${peer}`)
  }

  /** The sender has a place of its own only for as long as nobody knows whom it speaks for. */
  #introduce (socket: Socket, introduction: Introduction): void {
    this.#early.add(socket)
    introduction.begin(socket, (wrong) => {
      const awaited = this.#early.delete(socket)
      if (wrong === undefined) {
        return this.#letIn(socket, true)
      }
      if (awaited) this.#log('BAD_REQUEST', `PROXY header: ${wrong}`, socket)
      socket.destroy()
    })
  }

  /** @param paused Something was read of it, and there may be more. */
  #letIn (socket: Socket, paused = false): void {
    const place = this.#hooks.enter?.(addressOf(socket))
    if (!(place instanceof Promise)) return this.#placed(socket, place, paused)
    socket.on('error', ignore)
    this.#early.add(socket)
    void place.then((placed) => {
      socket.off('error', ignore)
      this.#early.delete(socket)
      if (!socket.destroyed) return this.#placed(socket, placed, paused)
      if (typeof placed !== 'string') placed.leave()
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

  /** Those who have asked for nothing yet, and would come in on terms that do not count any more. */
  #turnAway (): void {
    const early = [...this.#early]
    this.#early.clear()
    for (const socket of early) socket.destroy()
    this.#tls?.close()
    for (const former of this.#formerTls) former.close()
  }

  /** What secures connections under the next settings. Throws, and changes nothing, when something does not fit. */
  #nextTls (next: ListenerSettings): TlsServer | undefined {
    if (next.tls === undefined) return undefined
    if (this.#tls?.replace(next.id, next.tls, next.requestTimeoutMs) === true) return this.#tls
    return this.#createTls(next, next.tls)
  }

  #createTls ({ id, requestTimeoutMs }: ListenerSettings, tls: TlsSettings): TlsServer {
    const limit = new LogLimit()
    return new TlsServer({
      id, tls, requestTimeoutMs,
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
    const number = ++this.#lastConnection
    this.#open.set(number, connection)
    // It was let in before, and secured a moment later.
    if (this.#closing) connection.drain()
    socket.on('close', () => this.#open.delete(number))
  }

  /** One clock for all connections: a timer for each would be set and cleared with every request. */
  #setClock (atMostMs = 1_000): void {
    const { requestTimeoutMs, keepaliveTimeoutMs } = this.settings
    const interval = Math.min(atMostMs, Math.max(50, Math.min(requestTimeoutMs, keepaliveTimeoutMs) / 4))
    clearInterval(this.#clock)
    this.#clock = setInterval(() => this.#expire(), interval).unref()
  }

  #expire (): void {
    const now = performance.now()
    for (const connection of this.#open.values()) if (connection.deadline <= now) connection.expire()
  }

  #log (code: FaultCode, detail: string, socket?: Socket): void {
    this.#hooks.log?.({ listener: this.id, code, detail, peer: socket === undefined ? '' : addressOf(socket) })
  }
}

/** 'close' follows. */
function ignore (): void {}

function introductionOf ({ proxyProtocol, requestTimeoutMs }: ListenerSettings): Introduction | undefined {
  return proxyProtocol === undefined ? undefined : introduction(proxyProtocol, requestTimeoutMs)
}

/** On what terms clients come in. Who came in on others stays no longer than it must. */
function termsOf ({ tls, proxyProtocol }: ListenerSettings): string {
  const asked = tls === undefined ? 'plain' : [tls.clientAuth ?? 'off', tls.ca === undefined ? '' : Buffer.from(tls.ca).toString('base64')]
  return JSON.stringify([asked, proxyProtocol?.required, proxyProtocol?.from.map(({ text }) => text)])
}
