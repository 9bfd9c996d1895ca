import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Numbered } from '../../proto/numbered.ts'
import { errorCode, Session, type HeadProblem, type SessionUser, type Stream, type StreamUser } from '../http2/index.ts'
import type { Exchange, Peer } from '../pipeline/exchange.ts'
import { Fault, type FaultCode } from '../pipeline/faults.ts'
import type { ClientConnection } from './client-connection.ts'
import type { CurrentSettings, ListenerSettings } from './listener.ts'
import { peerOf } from './peer.ts'
import { StreamBody } from './stream-body.ts'
import { StreamExchange } from './stream-exchange.ts'
import { readStreamHead, type Refused, type StreamHead } from './stream-head.ts'
import { tlsFacts } from './tls-facts.ts'

export interface Http2Hooks {
  /** Must end by calling `finished`. */
  readonly serve: (connection: Http2Connection, open: StreamExchange, head: StreamHead) => void
  /** The request cannot be served, but answered; must end by calling `finished`. */
  readonly refuse: (connection: Http2Connection, open: StreamExchange, code: FaultCode, detail: string) => void
  readonly log: (code: FaultCode, detail: string, socket: Socket) => void
}

/** Unread bytes of request bodies that one connection may bring: this much on one stream, that much on all. */
const streamWindowBytes = 256 * 1024
const connectionWindowBytes = 1024 * 1024

const defaultMaxStreams = 100

/** Tunnels and streams of events that are cut have this long for their last words. */
const farewellMs = 250

/** One connection of a client that speaks HTTP/2: an exchange for each of its streams. */
export class Http2Connection implements ClientConnection, SessionUser {
  readonly socket: Socket
  readonly #current: CurrentSettings
  readonly #hooks: Http2Hooks
  readonly #session: Session
  readonly #open = new Numbered<StreamExchange>()
  #served = 0
  #peer: Peer | undefined = undefined

  constructor (socket: Socket, current: CurrentSettings, hooks: Http2Hooks) {
    const { settings } = current
    this.socket = socket
    this.#current = current
    this.#hooks = hooks
    this.#session = new Session(socket, {
      role: 'server', maxStreams: settings.maxConcurrentStreams ?? defaultMaxStreams, maxHeaderBytes: settings.maxHeaderBytes,
      maxHeaderCount: settings.maxHeaderCount, streamWindowBytes, connectionWindowBytes, extendedConnect: true, socketIdleMs: settings.bodyIdleTimeoutMs,
    }, this)
    if (!isGoodForHttp2(socket)) this.#session.close(errorCode.inadequateSecurity, 'a cipher that HTTP/2 forbids')
  }

  /** What was said in SETTINGS stays for as long as the connection does. */
  get #settings (): ListenerSettings {
    return this.#current.settings
  }

  get peer (): Peer {
    return this.#peer ??= peerOf(this.socket, this.socket instanceof TLSSocket ? tlsFacts(this.socket) : undefined)
  }

  /** The clock looks at connections that are busy each time. */
  get deadline (): number {
    return this.#open.size > 0 ? 0 : this.#deadline
  }

  get #deadline (): number {
    const { beganSinceMs, idleSinceMs } = this.#session
    const { requestTimeoutMs, keepaliveTimeoutMs } = this.#settings
    return Math.min(
      beganSinceMs + requestTimeoutMs,
      idleSinceMs + (this.#served === 0 ? requestTimeoutMs : keepaliveTimeoutMs),
    )
  }

  expire (): void {
    const now = performance.now()
    for (const open of this.#open.values()) this.#expireStream(open, now)
    if (this.#deadline > now) return
    const { beganSinceMs } = this.#session
    const { requestTimeoutMs } = this.#settings
    if (beganSinceMs + requestTimeoutMs <= now && this.#served > 0) {
      this.#hooks.log('CLIENT_TIMEOUT', `no whole frame or head within ${requestTimeoutMs} ms`, this.socket)
      this.#session.close(errorCode.enhanceYourCalm, 'a frame or head that does not end')
    } else {
      this.#session.drain()
    }
  }

  #expireStream (open: StreamExchange, now: number): void {
    const { bodyIdleTimeoutMs: idleMs } = this.#settings
    if (!open.isTunnel && (open.body?.waitingSinceMs ?? Infinity) + idleMs <= now) {
      open.body!.fail(new Fault('CLIENT_TIMEOUT', `no byte of the body for ${idleMs} ms`))
    }
    if (open.stream.stalledSinceMs + idleMs > now) return
    open.stream.reset(errorCode.cancel)
    open.end(new Fault('CLIENT_GONE', `the client took nothing of the answer for ${idleMs} ms`))
  }

  drain (): void {
    this.#session.sayFarewell()
  }

  /** The listener waits no longer. What tunnels are told passes on to both their ends, and streams of events end behind one of them. */
  cut (): void {
    const fault = new Fault('SHUTTING_DOWN', 'the listener is closed')
    const hurried = this.#open.values().filter((open) => !open.finish(fault))
    if (hurried.length === this.#open.size) return this.#close(fault)
    this.#abort(hurried, fault)
    const timer = setTimeout(() => this.#close(fault), farewellMs)
    this.socket.once('close', () => clearTimeout(timer))
  }

  /** An orderly end of the connection makes some clients take half an answer for the whole: each stream that is left is told. */
  #close (fault: Fault): void {
    this.#abort(this.#open.values(), fault)
    this.#session.close(errorCode.noError, 'the listener is closed')
    this.socket.destroy()
  }

  end (which: (x: Exchange) => boolean): void {
    const fault = new Fault('SHUTTING_DOWN', 'its route is gone')
    const ended = this.#open.values().filter(({ exchange }) => exchange !== undefined && which(exchange))
    const polite = ended.filter((open) => open.finish(fault))
    this.#abort(ended.filter((open) => !polite.includes(open)), fault)
    if (polite.length > 0) setTimeout(() => this.#abort(polite.filter((open) => this.#open.has(open.stream.id)), fault), farewellMs)
  }

  #abort (streams: readonly StreamExchange[], fault: Fault): void {
    for (const open of streams) {
      open.abort()
      open.end(fault)
    }
  }

  // What the session tells.

  opened (stream: Stream, fields: string[], ended: boolean, problem: HeadProblem | undefined): StreamUser | undefined {
    const { maxHeaderCount, maxHeaderNameBytes: maxNameBytes, maxHeaderValueBytes: maxValueBytes, keepaliveMaxRequests = Infinity } = this.#settings
    const limits = { maxNameBytes, maxValueBytes }
    this.#served++
    if (this.#served >= keepaliveMaxRequests) this.#session.drain()
    const head = problem === undefined ? readStreamHead(fields, ended, this.socket instanceof TLSSocket ? 'https' : 'http', maxHeaderCount, limits) : refusalOf(problem)
    if ('malformed' in head) {
      stream.blame(errorCode.protocolError, head.malformed)
      stream.release()
      this.#hooks.log('BAD_REQUEST', head.malformed, this.socket)
      return undefined
    }
    const refused = 'code' in head ? head : refusalOfHead(head)
    const open = new StreamExchange(stream, 'accepted' in head ? head.accepted.head.method : 'GET')
    this.#open.set(stream.id, open)
    if (refused === undefined && 'accepted' in head) this.#serve(open, head, ended)
    // Answered, but counted: who sends nothing else need not stay.
    else if (refused !== undefined && stream.strike(refused.detail)) this.#hooks.refuse(this, open, refused.code, refused.detail)
    return open
  }

  #serve (open: StreamExchange, head: StreamHead, ended: boolean): void {
    const { framing, expect } = head.accepted
    open.isTunnel = head.protocol !== undefined
    if (!ended || open.isTunnel) open.body = new StreamBody(open.stream, framing.length, expect === 'continue' ? () => open.interim(100, undefined) : undefined)
    // A tunnel in which the client has said all before it was there.
    if (ended) open.body?.end([])
    this.#hooks.serve(this, open, head)
  }

  finished (open: StreamExchange): void {
    this.#open.delete(open.stream.id)
    open.finished()
  }

  trouble (detail: string): void {
    this.#hooks.log('BAD_REQUEST', `HTTP/2: ${detail}`, this.socket)
  }

  closed (): void { /* every stream was told */ }
}

function refusalOf ({ kind, detail }: HeadProblem): Refused | { malformed: string } {
  switch (kind) {
    case 'malformed': return { malformed: detail }
    case 'too-large': return { code: 'HEAD_TOO_LARGE', detail }
    case 'line-too-large': return { code: 'URI_TOO_LONG', detail }
  }
}

function refusalOfHead ({ accepted, protocol }: StreamHead): Refused | undefined {
  if (accepted.expect === 'unknown') return { code: 'EXPECTATION_REFUSED', detail: 'an expectation other than 100-continue' }
  if (protocol !== undefined && protocol !== 'websocket') return { code: 'METHOD_REFUSED', detail: `CONNECT for ${JSON.stringify(protocol.slice(0, 40))}` }
  return undefined
}

/** RFC 9113 section 9.2.2: authenticated encryption and ephemeral keys, which all of TLS 1.3 has. */
function isGoodForHttp2 (socket: Socket): boolean {
  if (!(socket instanceof TLSSocket) || socket.getProtocol() === 'TLSv1.3') return true
  return /^(?:ECDHE|DHE)-.*(?:GCM|CHACHA20|CCM)/.test(socket.getCipher()?.name ?? '')
}
