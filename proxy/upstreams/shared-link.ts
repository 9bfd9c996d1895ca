import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { errorCode, pingFrame, Session, type SessionUser, type Source, type Stream, type StreamUser } from '../http2/index.ts'
import { Fault } from '../pipeline/faults.ts'
import { maxHeadBytes, maxHeadFields } from './answer-reader.ts'
import type { Dial } from './dial.ts'
import { connectFault } from './fault-of-error.ts'

/** One exchange on a connection of many. */
export interface SharedUser extends StreamUser {
  /** It is an exchange no longer: it ends when its two ends say so. */
  readonly isTunnel: boolean
  tick (nowMs: number): void
  /** Ends it for a reason that whoever waits has to know. */
  cut (reason: Fault): void
}

/** Where such connections come from and go to. */
export interface SharedHome {
  readonly idleMs: number
  readonly maxAgeMs: number
  readonly sharing: SharingSettings
  /** The target speaks HTTP/2, and there is room: for the first time, or again. */
  hasRoom (link: SharedLink): void
  /** The target chose HTTP/1.1 where it had the choice: the connection is somebody else's from here on. */
  choseHttp1 (link: SharedLink, socket: Socket): void
  /** No exchange could ever be sent on it. */
  failed (link: SharedLink, fault: Fault): void
  /** Its last exchange is over; tunnels may go on. */
  unused (link: SharedLink): void
  /** Only tunnels are left, and nothing else will come: its place is free for another one. */
  tunnelled (link: SharedLink): void
  lost (link: SharedLink): void
}

export interface SharingSettings {
  /** Whether a target may choose HTTP/1.1. */
  readonly mayChoose: boolean
  readonly secure: boolean
  readonly maxStreams: number
  /** Silence after which the target is asked for a sign of life; Infinity: never. */
  readonly pingIntervalMs: number
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
  readonly writeTimeoutMs: number
}

/** Unread bytes of one answer. */
const streamWindowBytes = 64 * 1024

/** How many more they may be of an answer that is read as it comes, and how much must have been: with 64 KiB on their way far targets are slow. */
export const moreWindowBytes = 192 * 1024
export const widenedAfterBytes = 1024 * 1024

/** Answers that nobody reads must leave room for the others, however many they are: the window of the connection never is what stops a target. */
function connectionWindowBytes (maxStreams: number): number {
  return Math.min(0x7fff_ffff, Math.max(maxStreams, 4) * (streamWindowBytes + moreWindowBytes))
}

/** One connection to a target that many exchanges share (HTTP/2), from the moment it is dialled. */
export class SharedLink implements SessionUser {
  /** Answers received on it. */
  served = 0
  /** The target said what it allows: exchanges may be sent. */
  ready = false
  /** Counted among the unused ones. For whoever counts. */
  countedIdle = false
  /** No longer counted among those that are being dialled. For whoever counts. */
  countedDialled = false
  /** When it was dialled, on the clock of `performance.now`, and how long it took until it stood and until TLS did behind that. */
  readonly dialledMs = performance.now()
  connectMs = 0
  tlsMs = 0
  readonly #home: SharedHome
  readonly #socket: Socket
  readonly #users = new Set<SharedUser>()
  #session: Session | undefined = undefined
  /** Users that are no tunnels. */
  #exchanges = 0
  /** Places that were promised and are not taken yet. */
  #reserved = 0
  /** Why its exchanges end, when we end them. */
  #reason: Fault | undefined = undefined
  #leaving = false
  #gone = false
  #heardMs = 0
  #askedMs = Infinity
  readonly #connectDueMs: number
  readonly #diesAtMs: number

  constructor (dial: Dial, home: SharedHome) {
    this.#home = home
    this.#connectDueMs = this.dialledMs + home.sharing.connectTimeoutMs
    this.#diesAtMs = this.dialledMs + home.maxAgeMs
    const socket = this.#socket = dial('', (tlsMs) => {
      this.tlsMs = tlsMs
      this.connectMs = performance.now() - this.dialledMs - tlsMs
      this.#connected()
    })
    socket.on('error', (error) => this.#dialFailed(connectFault(error, home.sharing.secure)))
    socket.once('close', () => this.#dialFailed(new Fault('UPSTREAM_CONNECT', 'the target closed the connection before it said anything')))
  }

  /** Exchanges, tunnels not counted. */
  get exchanges (): number {
    return this.#exchanges + this.#reserved
  }

  /** How many exchanges it takes at once. */
  get capacity (): number {
    return this.#session === undefined ? 0 : this.#session.room + this.#session.places
  }

  /** The same could be asked in HTTP/1.1. */
  get mayChoose (): boolean {
    return this.#home.sharing.mayChoose
  }

  get tooOld (): boolean {
    return this.#diesAtMs !== Infinity && performance.now() >= this.#diesAtMs
  }

  /** Its streams may become tunnels (RFC 8441). */
  get takesTunnels (): boolean {
    return this.#session?.extendedConnect === true
  }

  /** Keeps a place for one exchange; false when there is none. `open` takes it, or `giveBack` lets it go. */
  reserve (): boolean {
    if (!this.ready || this.#leaving || this.#session!.room <= this.#reserved || this.tooOld) return false
    this.#reserved++
    return true
  }

  giveBack (): void {
    this.#reserved--
    this.#checkUnused()
  }

  /** Sends a request. `undefined` when the connection has gone away since there was a place. */
  open (user: SharedUser, fields: readonly string[], source: Source | undefined): Stream | undefined {
    this.#reserved--
    const session = this.#session
    if (session === undefined || this.#gone || session.room === 0) {
      this.#checkUnused()
      return undefined
    }
    this.#users.add(user)
    this.#exchanges++
    return session.open(user, fields, source)
  }

  /** What was an exchange has become a tunnel. */
  replaced (user: SharedUser, by: SharedUser): void {
    if (!this.#users.delete(user)) return
    this.#users.add(by)
    this.#exchanges--
    this.#checkUnused()
  }

  /** `whole`: it got the answer it wanted. */
  finished (user: SharedUser, whole: boolean): void {
    if (!this.#users.delete(user)) return
    if (!user.isTunnel) this.#exchanges--
    if (whole) this.served++
    this.#checkUnused()
  }

  /** An exchange that began at `sinceMs` got no answer in time. When nothing whole came since, no other one shall wait for this connection. */
  doubt (sinceMs: number): void {
    const { beganSinceMs } = this.#session!
    if (this.#heardMs < sinceMs || beganSinceMs + this.#home.sharing.readTimeoutMs / 2 <= performance.now()) this.retire()
  }

  /** Nobody else gets it; it ends with the last exchange. */
  retire (): void {
    if (this.#leaving || this.#gone) return
    this.#leaving = true
    this.#session?.drain()
    this.#checkUnused()
  }

  /** Ends its exchanges for a reason that they have to know. Tunnels go on. */
  cut (reason: Fault): void {
    if (this.#gone) return
    if (!this.ready) return this.#dialFailed(reason)
    this.retire()
    for (const user of this.#users) if (!user.isTunnel) user.cut(reason)
  }

  tick (nowMs: number): void {
    const { connectTimeoutMs } = this.#home.sharing
    if (!this.ready) {
      if (nowMs >= this.#connectDueMs) this.#dialFailed(new Fault('UPSTREAM_CONNECT', `connecting took more than ${connectTimeoutMs} ms`))
      return
    }
    for (const user of this.#users) user.tick(nowMs)
    const wrong = this.#dead(nowMs)
    if (wrong !== undefined) this.#end(wrong)
    else if (nowMs >= this.#diesAtMs || this.#session!.idleSinceMs + this.#home.idleMs <= nowMs && this.#reserved === 0) this.retire()
  }

  /** What says that nothing more can be expected of the connection. */
  #dead (nowMs: number): Fault | undefined {
    const { readTimeoutMs, writeTimeoutMs, pingIntervalMs, connectTimeoutMs } = this.#home.sharing
    const { beganSinceMs, fullSinceMs } = this.#session!
    if (beganSinceMs + readTimeoutMs <= nowMs) return new Fault('UPSTREAM_TIMEOUT', `no end of a frame or head in ${readTimeoutMs} ms`)
    if (fullSinceMs + writeTimeoutMs <= nowMs) return new Fault('UPSTREAM_TIMEOUT', `the target took nothing for more than ${writeTimeoutMs} ms`)
    if (this.#heardMs > this.#askedMs) this.#askedMs = Infinity
    const patienceMs = Math.min(pingIntervalMs, connectTimeoutMs)
    if (this.#askedMs + patienceMs <= nowMs) return new Fault('UPSTREAM_TIMEOUT', `no sign of life in ${patienceMs} ms`)
    if (this.#askedMs === Infinity && this.#heardMs + pingIntervalMs <= nowMs) {
      this.#askedMs = nowMs
      this.#session!.put(pingFrame)
    }
    return undefined
  }

  /** Ends the connection, and everything on it. */
  #end (reason: Fault): void {
    this.#reason = reason
    this.#session!.close(errorCode.noError, reason.detail ?? reason.code)
    this.#socket.destroy()
    this.#forget()
  }

  /** Why a stream ended that nobody reset, when we know better than the stream does. */
  get reason (): Fault | undefined {
    return this.#reason
  }

  #connected (): void {
    const socket = this.#socket
    const { sharing } = this.#home
    if (socket instanceof TLSSocket && socket.alpnProtocol !== 'h2') {
      const chosen = socket.alpnProtocol === false ? 'nothing' : socket.alpnProtocol ?? 'nothing'
      if (!sharing.mayChoose) return this.#dialFailed(new Fault('UPSTREAM_HTTP_VERSION', `the target chose ${chosen} where HTTP/2 was offered`))
      this.#gone = true
      return this.#home.choseHttp1(this, socket)
    }
    socket.on('data', () => { this.#heardMs = performance.now() })
    this.#session = new Session(socket, {
      role: 'client', maxStreams: sharing.maxStreams, maxHeaderBytes: maxHeadBytes, maxHeaderCount: maxHeadFields,
      streamWindowBytes, connectionWindowBytes: connectionWindowBytes(sharing.maxStreams), extendedConnect: false,
    }, this)
  }

  #dialFailed (fault: Fault): void {
    if (this.ready || this.#gone) return
    this.#gone = true
    this.#socket.destroy()
    this.#home.failed(this, fault)
  }

  // What the session tells.

  roomChanged (): void {
    const session = this.#session
    if (this.#gone || session === undefined || !session.settled) return
    if (!this.ready) {
      // Whoever has no room at the very beginning is not waited for.
      if (session.room === 0) return this.#dialFailed(new Fault('UPSTREAM_BUSY', 'the target takes no requests on its connection'))
      this.ready = true
    }
    if (session.room > 0) this.#home.hasRoom(this)
    this.#checkUnused()
  }

  trouble (detail: string): void {
    this.#dialFailed(new Fault('UPSTREAM_HTTP_VERSION', `this is not HTTP/2: ${detail}`))
  }

  closed (): void {
    this.#forget()
  }

  #checkUnused (): void {
    if (this.#gone || !this.ready || this.exchanges > 0) return
    // It goes away, or its target does: nobody will ever use it again.
    if (this.#leaving || this.#session!.room === 0) this.#leave()
    else this.#home.unused(this)
  }

  #leave (): void {
    this.#leaving = true
    this.#session!.drain()
    if (this.#users.size > 0) this.#home.tunnelled(this)
    else this.#forget()
  }

  #forget (): void {
    if (this.#gone) return
    this.#gone = true
    this.#home.lost(this)
  }
}
