import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Outlet } from '../http1/write.ts'
import type { Dial } from './dial.ts'
import { holdReadBuffer, returnReadBuffer, smallReadBytes, takeReadBuffer } from './read-buffers.ts'

/** The exchange that has a connection. Calls end with `release` and `destroy`. */
export interface LinkUser {
  /** Bytes can be sent. */
  connected (): void
  /** `bytes` are overwritten by the next read; `Link.keep` spares one piece of them. */
  received (bytes: Buffer): void
  /** There is room for more bytes after `write` gave false. */
  drained (): void
  /** The other side has said all it will say. */
  ended (): void
  /** The connection is of no use any more. */
  broken (error: Error): void
  /** The clock of all connections, in milliseconds of `performance.now`. */
  tick (nowMs: number): void
}

/** Where connections come from and go to. */
export interface LinkHome {
  readonly idleMs: number
  readonly maxAgeMs: number
  returned (link: Link): void
  lost (link: Link): void
  /** It serves one exchange to its end from here on: its place is free for another one. */
  tunnelled (link: Link): void
}

/** A closed socket asks where to read into as well. With no room at all Node's TLS would ask for ever: what is left of a record has to go somewhere. */
const nowhere = Buffer.alloc(16 * 1024)

/** One connection to a target, or the place of one: it is dialled when there is something to send. One exchange at a time. */
export class Link implements Outlet {
  /** Answers received on it. */
  served = 0
  connected = false
  /** When it was dialled, on the clock of `performance.now`, and how long it took until it stood and until TLS did behind that. */
  dialledMs = 0
  connectMs = 0
  tlsMs = 0
  /** What it begins with, in front of TLS and everything else. */
  readonly greeting: string
  readonly #dial: Dial
  readonly #home: LinkHome
  #socket: Socket | undefined = undefined
  #buffer: Buffer | undefined = undefined
  #user: LinkUser | undefined = undefined
  #idleUntilMs = Infinity
  #diesAtMs = Infinity
  #stopped = false
  /** Bytes are being handed over. */
  #reading = false
  /** They come fast: the next ones may come in a large piece. */
  #wide = false
  #adopted = false
  #gone = false

  constructor (dial: Dial, home: LinkHome, greeting: string) {
    this.greeting = greeting
    this.#dial = dial
    this.#home = home
  }

  /** Nothing is known that speaks against sending the next request on it. */
  usable (nowMs: number): boolean {
    return !this.#gone && nowMs < this.#idleUntilMs && this.#socket?.writable !== false
  }

  /** It has lived as long as a connection may: no other exchange gets it. */
  get tooOld (): boolean {
    return performance.now() >= this.#diesAtMs
  }

  /** Everything handed over has been taken by the system. */
  get flushed (): boolean {
    return this.#socket?.writableLength === 0
  }

  /** Lends it to an exchange, whose `connected` is called at once or when it is. */
  open (user: LinkUser): void {
    this.#user = user
    this.#idleUntilMs = Infinity
    if (this.#gone) return this.#broken(closedError())
    if (this.connected) return user.connected()
    this.dialledMs = performance.now()
    this.#diesAtMs = this.dialledMs + this.#home.maxAgeMs
    const socket = this.#socket = this.#dial(this.greeting, (tlsMs) => {
      this.connected = true
      this.tlsMs = tlsMs
      this.connectMs = performance.now() - this.dialledMs - tlsMs
      this.#user?.connected()
    }, { buffer: () => this.#room(), callback: (bytes) => this.#received(bytes) })
    this.#watch(socket)
  }

  /** Takes over a connection that was opened to find out what the target speaks. Nobody has it yet. */
  adopt (socket: Socket, { dialledMs, connectMs, tlsMs }: Pick<Link, 'dialledMs' | 'connectMs' | 'tlsMs'>): void {
    const nowMs = performance.now()
    Object.assign(this, { dialledMs, connectMs, tlsMs })
    this.#socket = socket
    this.connected = this.#adopted = true
    this.#diesAtMs = nowMs + this.#home.maxAgeMs
    this.#idleUntilMs = Math.min(this.#diesAtMs, nowMs + this.#home.idleMs)
    this.#watch(socket)
    socket.on('data', (bytes: Buffer) => this.#heard(bytes))
    socket.resume()
  }

  #watch (socket: Socket): void {
    socket.on('drain', () => this.#user?.drained())
    socket.on('end', () => {
      if (this.#user === undefined) this.destroy()
      else this.#user.ended()
    })
    socket.on('error', (error) => this.#broken(error))
    socket.on('close', () => this.#broken(closedError()))
  }

  write (bytes: Buffer | string, encoding?: 'latin1'): boolean {
    return typeof bytes === 'string' ? this.#socket!.write(bytes, encoding) : this.#socket!.write(bytes)
  }

  get writableLength (): number {
    return this.#socket!.writableLength
  }

  get encrypted (): boolean {
    return this.#socket instanceof TLSSocket
  }

  cork (): void {
    this.#socket!.cork()
  }

  uncork (): void {
    this.#socket!.uncork()
  }

  /** Nothing more is said; the other side may go on. */
  endWriting (): void {
    this.#socket?.end()
  }

  /** Hands the connection to who moves bytes through it until it ends. */
  becomeTunnel (user: LinkUser): void {
    this.#user = user
    // The target may have ended its side, and want to hear more.
    if (this.#socket !== undefined) this.#socket.allowHalfOpen = true
    this.#home.tunnelled(this)
  }

  /** Stops and goes on reading. */
  flow (reading: boolean): void {
    if (reading === !this.#stopped) return
    this.#stopped = !reading
    // Who does not keep up is read in small pieces.
    if (!reading) this.#wide = false
    // While bytes are handed over, what is said last counts, and is said by the answer to that.
    if (this.#reading) return
    if (reading) this.#socket?.resume()
    else this.#socket?.pause()
  }

  /** A piece of what was just received is held on to, and the next bytes go elsewhere. False when another piece is already. */
  keep (): boolean {
    // What Node reads into memory of its own is nobody else's.
    if (this.#adopted) return true
    const buffer = this.#buffer
    if (buffer === undefined) return false
    holdReadBuffer(buffer)
    this.#buffer = undefined
    return true
  }

  /** Where the next bytes go. */
  #room (): Buffer {
    if (this.#gone) return nowhere
    const buffer = this.#buffer
    if (buffer !== undefined && (buffer.length > smallReadBytes) === this.#wide) return buffer
    if (buffer !== undefined) returnReadBuffer(buffer)
    return this.#buffer = takeReadBuffer(this.#wide)
  }

  #received (bytes: number): boolean {
    this.#wide = bytes >= smallReadBytes
    this.#reading = true
    this.#heard(this.#buffer!.subarray(0, bytes))
    this.#reading = false
    return !this.#stopped
  }

  #heard (bytes: Buffer): void {
    // Nobody asked: what it says cannot be the answer to what will be asked.
    if (this.#user === undefined) this.destroy()
    else this.#user.received(bytes)
  }

  tick (nowMs: number): void {
    if (this.#user !== undefined) this.#user.tick(nowMs)
    else if (nowMs >= this.#idleUntilMs) this.destroy()
  }

  /** The exchange is over and the connection in order. `keepAliveMs`: how long the target says that it stays. */
  release (nowMs: number, keepAliveMs = Infinity): void {
    this.#user = undefined
    this.#wide = false
    this.served++
    // Gone before the target closes it: a request that crosses its end would be lost.
    this.#idleUntilMs = Math.min(this.#diesAtMs, nowMs + Math.min(this.#home.idleMs, keepAliveMs - Math.min(1_000, keepAliveMs / 2)))
    this.flow(true)
    this.#home.returned(this)
  }

  /** It was taken, and nothing was asked on it. */
  giveBack (): void {
    if (this.connected) this.#home.returned(this)
    else this.destroy()
  }

  /** Ends the connection, in the middle of an exchange or not. The exchange is not told. */
  destroy (): void {
    if (this.#gone) return
    this.#gone = true
    this.#user = undefined
    this.#socket?.destroy()
    if (this.#buffer !== undefined) returnReadBuffer(this.#buffer)
    this.#buffer = undefined
    this.#home.lost(this)
  }

  /** Ends it when what was said is out. */
  destroySoon (): void {
    this.#socket?.destroySoon()
    if (this.#gone) return
    this.#gone = true
    this.#user = undefined
    this.#home.lost(this)
  }

  /** Ends it for a reason that its exchange has to know. */
  cut (error: Error): void {
    this.#broken(error)
  }

  #broken (error: Error): void {
    const user = this.#user
    this.destroy()
    user?.broken(error)
  }
}

function closedError (): Error {
  return Object.assign(new Error('the other side closed the connection'), { code: 'ECONNRESET' })
}
