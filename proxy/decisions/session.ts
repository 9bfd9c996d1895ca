import { connect as connectSocket, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { errorCode, pingFrame, Session, type Source, type Stream, type StreamUser } from '../http2/index.ts'
import type { AgentTarget, AgentTls } from './settings.ts'

/** Window for what the agent sends on one stream: several replies with bodies at once do not wait for it. And for all streams together. */
const streamWindowBytes = 4 * 1024 * 1024
const connectionWindowBytes = 8 * 1024 * 1024

/** Of an answer, and of the status behind it, which may tell a long story. */
const maxHeaderBytes = 64 * 1024
const maxHeaderCount = 256

/** A handful is all that is ever needed at a time. */
const maxStreams = 100

export interface SessionHooks {
  onConnect (): void
  /** Something came, whatever it is. More of a frame that has not ended says nothing: nothing else can come behind it. */
  onHeard (): void
  /** The agent goes away, with a number of `errorCode`; what is open may still come to its end. */
  onGoAway (code: number): void
  /** Once, and not after `end`: an error of the system, or what was wrong with what the agent sent. Without a reason the agent has closed it. */
  onClosed (why: SessionError | undefined): void
}

const closedByAgent = 'the agent closed the connection'

/** `code` is that of the system: ENOENT, ECONNREFUSED, … */
export type SessionError = Error & { readonly code?: string }

/** Whoever opens a stream, and may have to wait until the agent takes it. */
export interface Opener extends StreamUser {
  readonly source: Source
  opened (stream: Stream): void
}

/** An HTTP/2 connection to an agent, from the moment it is dialled; or from then on when an agent that connects by itself was let in. */
export class AgentSession {
  readonly #socket: Socket
  readonly #hooks: SessionHooks
  readonly #fields: readonly string[]
  readonly #waiting = new Map<Opener, readonly string[]>()
  #session: Session | undefined = undefined
  #why: SessionError | undefined = undefined
  #leaving = false
  #over = false

  constructor (target: AgentTarget | { readonly socket: Socket }, hooks: SessionHooks) {
    this.#hooks = hooks
    this.#fields = fieldsFor(target)
    const socket = this.#socket = 'socket' in target ? target.socket : dial(target)
    socket.on('error', (error) => { this.#why ??= error })
    socket.once('close', () => this.#gone())
    if ('socket' in target) setImmediate(() => this.#connected())
    else socket.once('tls' in target && target.tls !== undefined ? 'secureConnect' : 'connect', () => this.#connected())
  }

  get connecting (): boolean {
    return this.#session === undefined && !this.#over
  }

  /** Nothing new can be asked. */
  get leaving (): boolean {
    return this.#leaving || this.#over
  }

  /** How many more streams the agent takes now. */
  get room (): number {
    return this.#over ? 0 : this.#session?.room ?? 0
  }

  /** Why it is over, or will be, where that is more than that the agent has closed it. */
  get why (): string | undefined {
    return this.#why === undefined ? undefined : whyOf(this.#why)
  }

  /** Opens a stream, as soon as there is a connection and room on it. Only while it is not `leaving`. */
  open (opener: Opener, path: string): void {
    const fields = [':method', 'POST', ...this.#fields, ':path', path, 'content-type', 'application/grpc', 'te', 'trailers']
    this.#waiting.set(opener, fields)
    this.#open()
  }

  /** It is not wanted any more before it was opened. */
  forget (opener: Opener): void {
    this.#waiting.delete(opener)
  }

  /** Asks for a sign of life: whatever comes next is one. */
  ping (): void {
    this.#session?.put(pingFrame)
  }

  /** Ends it at once, with all its streams. The hooks hear nothing any more. */
  end (): void {
    if (this.#over) return
    this.#over = true
    if (this.#session === undefined) this.#socket.destroy()
    else this.#session.close(errorCode.noError, 'the proxy has ended the connection')
    // A process that ends waits for no agent that does not read why.
    this.#socket.unref()
    this.#breakWaiting('the proxy has ended the connection')
  }

  #connected (): void {
    if (this.#over || this.#socket.destroyed) return
    const socket = this.#socket
    const session = this.#session = new Session(socket, {
      role: 'client', maxStreams, maxHeaderBytes, maxHeaderCount, streamWindowBytes, connectionWindowBytes, extendedConnect: false,
    }, { roomChanged: () => this.#open(), goesAway: (code) => this.#goesAway(code), trouble: (detail) => this.#trouble(detail), closed () {} })
    let beganSinceMs = Infinity
    socket.on('data', () => {
      const before = beganSinceMs
      beganSinceMs = session.beganSinceMs
      if (beganSinceMs === Infinity || beganSinceMs !== before) this.#hooks.onHeard()
    })
    // An agent that was let in was not read until now.
    socket.resume()
    this.#hooks.onConnect()
    this.#open()
  }

  #gone (): void {
    if (this.#over) return
    this.#over = true
    this.#session?.close(errorCode.noError, closedByAgent)
    this.#hooks.onClosed(this.#why)
    this.#breakWaiting(closedByAgent)
  }

  #breakWaiting (detail: string): void {
    const waiting = [...this.#waiting.keys()]
    this.#waiting.clear()
    for (const opener of waiting) opener.broken({ code: errorCode.cancel, by: 'connection', unprocessed: true, detail })
  }

  #open (): void {
    const session = this.#session
    if (session === undefined || this.#over) return
    for (const [opener, fields] of this.#waiting) {
      if (session.room === 0) return
      this.#waiting.delete(opener)
      opener.opened(session.open(opener, fields, opener.source))
    }
  }

  #goesAway (code: number): void {
    this.#leaving = true
    if (this.#over) return
    this.#hooks.onGoAway(code)
    this.#breakWaiting('the agent goes away')
  }

  #trouble (detail: string): void {
    this.#why ??= new Error(this.#session?.settled === true ? `it breaks the rules of HTTP/2: ${detail}` : `it does not speak HTTP/2: ${detail}`)
    // What the agent is told about it comes first.
    queueMicrotask(() => this.#gone())
  }
}

/** Pseudo-fields that say where a call goes. */
function fieldsFor (target: AgentTarget | { readonly socket: Socket }): readonly string[] {
  if (!('host' in target)) return [':scheme', 'http', ':authority', 'localhost']
  const { host, port, tls } = target
  return [':scheme', tls === undefined ? 'http' : 'https', ':authority', host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]
}

function dial (target: AgentTarget): Socket {
  if ('path' in target) return connectSocket(target.path)
  const { host, port, tls } = target
  return tls === undefined ? connectSocket({ host, port, noDelay: true }) : connectSecurely(host, port, tls)
}

const notHttp2 = 'it speaks TLS, but not HTTP/2'

/** What Node and OpenSSL call a certificate that is not believed. */
const distrust = /^(?:UNABLE_TO_|CERT_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|INVALID_CA|HOSTNAME_MISMATCH)/

/** Handshakes that fail for a reason the operator can do something about, in other words than OpenSSL's. */
const handshakes: readonly (readonly [RegExp, string])[] = [
  [/NO_APPLICATION_PROTOCOL/, notHttp2],
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|ERR_SSL_HTTP_REQUEST/, 'it does not speak TLS'],
  [/ALERT_CERTIFICATE_REQUIRED/, 'it asks for a certificate of the proxy: client-cert and client-key'],
  [/ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED)/, 'it does not accept the certificate of the proxy'],
]

/** Why a connection failed, for the operator. */
export function whyOf (error: SessionError): string {
  const { code = '', message } = error
  if (distrust.test(code)) return `its certificate is not accepted: ${message}`
  // After the handshake OpenSSL gives a text and no code, with the same words in it.
  const words = `${code} ${message}`.toUpperCase().replaceAll(' ', '_')
  return handshakes.find(([form]) => form.test(words))?.[1] ?? message.trim()
}

/** The certificate is looked at for the name, or for the address when the host is one: that may not be sent as a name. */
function connectSecurely (host: string, port: number, { serverName, insecureSkipVerify, ...pem }: AgentTls): TLSSocket {
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined)
  const socket = connectTls({
    host, port, ...pem, ALPNProtocols: ['h2'], minVersion: 'TLSv1.2', rejectUnauthorized: insecureSkipVerify !== true, ...servername === undefined ? {} : { servername },
  })
  socket.setNoDelay(true)
  socket.once('secureConnect', () => {
    if (socket.alpnProtocol !== 'h2') socket.destroy(new Error(notHttp2))
  })
  return socket
}
