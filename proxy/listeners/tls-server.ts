import type { Socket } from 'node:net'
import { createServer, type SecureContext, type Server, type TLSSocket, type TlsOptions } from 'node:tls'
import { handshakeFailure, type HandshakeFailure } from './handshake-failure.ts'
import type { TlsSettings } from './listener.ts'
import { acceptedSocket } from './peer.ts'
import { closeSlowly, refusalBytes } from './refusal.ts'
import { SniContexts } from './sni-contexts.ts'
import { clientCheck, contextOptions, ticketKeysOf, unwantedClient } from './tls-settings.ts'

/** Longest time between a connection and the end of its handshake, whatever requests may take. */
const longestHandshakeMs = 10_000

/** How long a client that sent plain HTTP may take to read that it should not have. */
const refusalMs = 2_000

export interface TlsServerOptions {
  readonly id: string
  readonly tls: TlsSettings
  readonly requestTimeoutMs: number
  /** What may be spoken, the best first. */
  readonly alpn: NonNullable<TlsOptions['ALPNProtocols']>
  readonly secured: (socket: TLSSocket, ms: number) => void
  /** Nothing is left to do. */
  readonly failed: (failure: HandshakeFailure, socket: TLSSocket, ms: number) => void
}

/** Turns accepted sockets into secured ones. It is never bound itself. */
export class TlsServer {
  readonly #options: TlsServerOptions
  readonly #server: Server
  /** Accepted sockets whose handshake is not done, with the time they were accepted. */
  readonly #shaking = new Map<Socket, number>()
  #tls: TlsSettings
  #contexts: SniContexts

  constructor (options: TlsServerOptions) {
    const { id, tls, requestTimeoutMs, alpn } = options
    this.#options = options
    this.#tls = tls
    this.#contexts = new SniContexts(tls)
    this.#server = createServer({
      ...contextOptions(id, tls), ...clientCheck(tls), ALPNProtocols: alpn,
      handshakeTimeout: Math.min(requestTimeoutMs, longestHandshakeMs),
      SNICallback: (name, done) => this.#choose(name, done),
    })
    this.#server.on('secureConnection', (socket) => this.#secured(socket))
    this.#server.on('tlsClientError', (error: Error, socket) => this.#failed(error, socket))
    // Asked only when the client wants to know. Whatever comes of it, the handshake goes on.
    this.#server.on('OCSPRequest', (certificate: Buffer, _issuer: Buffer, done: (error: Error | null, answer: Buffer | null) => void) => {
      done(null, this.#tls.staple?.(certificate) ?? null)
    })
  }

  accept (socket: Socket): void {
    this.#shaking.set(socket, performance.now())
    socket.once('close', () => this.#shaking.delete(socket))
    this.#server.emit('connection', socket)
  }

  /** Ends handshakes that are going on: those clients have asked for nothing yet. */
  close (): void {
    for (const socket of this.#shaking.keys()) socket.destroy()
  }

  /** A handshake is going on. */
  get busy (): boolean {
    return this.#shaking.size > 0
  }

  /**
   * For handshakes from now on. Throws, and changes nothing, when something does not fit. False for what Node.js keeps as long as a server lives:
   * another has to be made.
   */
  replace (id: string, tls: TlsSettings, requestTimeoutMs: number): boolean {
    const { id: ownId, tls: { clientAuth = 'off' }, requestTimeoutMs: ownMs } = this.#options
    if (id !== ownId || requestTimeoutMs !== ownMs || (tls.clientAuth ?? 'off') !== clientAuth) return false
    clientCheck(tls)
    this.#server.setSecureContext(contextOptions(id, tls))
    this.#tls = tls
    this.#contexts = new SniContexts(tls, this.#contexts)
    return true
  }

  /** Tickets are sealed with keys of this secret from now on. */
  renewTickets (ticketSecret: Buffer): void {
    this.#tls = { ...this.#tls, ticketSecret }
    const keys = ticketKeysOf(this.#options.id, this.#tls)
    if (keys !== undefined) this.#server.setTicketKeys(keys)
  }

  #choose (name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    try {
      done(null, this.#contexts.of(name))
    } catch {
      // It was tried when it was loaded. Whatever happened since, the client gets the listener's own, and sees it.
      done(null)
    }
  }

  #secured (socket: TLSSocket): void {
    const ms = this.#took(acceptedSocket(socket))
    const wrong = unwantedClient(socket, this.#options.tls.clientAuth)
    if (wrong === undefined) return this.#options.secured(socket, ms)
    this.#options.failed({ reason: 'client-certificate', detail: `client certificate: ${wrong}` }, socket, ms)
    socket.destroy()
  }

  #failed (error: Error, socket: TLSSocket): void {
    const accepted = acceptedSocket(socket)
    const failure = handshakeFailure(error, socket)
    this.#options.failed(failure, socket, this.#took(accepted))
    if (failure.reason === 'plain-http' && accepted !== socket) return sayPlainly(accepted)
    socket.destroy()
  }

  /** The handshake is over: how many milliseconds it took. */
  #took (accepted: Socket): number {
    const startedMs = this.#shaking.get(accepted)
    if (startedMs === undefined) return 0
    this.#shaking.delete(accepted)
    return performance.now() - startedMs
  }
}

/** OpenSSL has sent nothing when it finds plain HTTP: a client gets an answer that it understands. Nothing of its request was looked at. */
function sayPlainly (socket: Socket): void {
  // It may be gone by now.
  socket.on('error', () => socket.destroy())
  socket.write(refusalBytes('BAD_REQUEST'))
  closeSlowly(socket, refusalMs)
}
