import type { Broken, Source, StreamUser } from './contract.ts'
import { emptyTable, encodeFields } from './hpack-encoder.ts'
import { errorCode, flag, frameHeader, frameType, uint32 } from './protocol.ts'

/** What a stream needs of its connection. */
export interface StreamHome {
  readonly role: 'server' | 'client'
  readonly windowBytes: number
  /** Largest frame that the other side takes. */
  readonly maxFrameBytes: number
  /** Much waits for the other side to take it. */
  readonly crowded: boolean
  /** The other side takes nothing more on any stream. */
  readonly windowClosed: boolean
  /** Whether the next block has to say that our table is empty; asked once for each block. */
  takeTableUpdate (): boolean
  put (frame: string): void
  /** There is something to send of its source. */
  queue (stream: Stream): void
  /** Bytes that will not be kept any longer: the other side may send as many. */
  credit (bytes: number): void
  /** Both sides have ended, or one has reset. `byUs`: frames of the other side may still be on their way. */
  over (stream: Stream, byUs: boolean): void
  released (stream: Stream): void
  strike (detail: string): boolean
  /** What there is goes out now. */
  flush (): void
}

/** One request and its answer. Either side ends its half; each may end both by a reset. */
export class Stream {
  readonly id: number
  /** Where what arrives goes to; nobody, once it is over. */
  user: StreamUser | undefined
  localEnded = false
  remoteEnded = false
  /** Nothing more is sent or awaited. */
  over = false
  /** A final head has come (client), or any (server). */
  headed = false

  // What the sender keeps here about what is sent.
  sendWindow: number
  source: Source | undefined = undefined
  /** A chunk that was read and not sent to its end. */
  held: Buffer | undefined = undefined
  heldAt = 0
  /** It counts among those that hold something. */
  holds = false
  sentBytes = 0
  /** The source was asked, and has not answered, or has nothing now. */
  reading = false
  queued = false
  /** When something of it was last sent, or came to be sent. */
  progressMs = 0

  /** What the other side may still send. */
  receiveWindow: number
  /** Given to the user, and not consumed. */
  #unread = 0
  /** Consumed, and the other side was not told. */
  #owed = 0
  #released = false
  #discarding = false
  readonly #home: StreamHome

  constructor (id: number, home: StreamHome, sendWindow: number) {
    this.id = id
    this.#home = home
    this.sendWindow = sendWindow
    this.receiveWindow = home.windowBytes
  }

  /** Since when something waits for the other side to open a window; Infinity while nothing does, or it is only the socket that is slow. */
  get stalledSinceMs (): number {
    if (this.source === undefined || this.reading || this.over) return Infinity
    return this.queued && !this.#home.windowClosed ? Infinity : this.progressMs
  }

  /** An interim head (":status" 1xx). Nobody has to hear of it: a client that does not even read what it got gets no more of them. */
  sendInterim (fields: readonly string[]): void {
    if (!this.over && !this.localEnded && !this.#home.crowded) this.#sendHead(encodeFields(fields), false)
  }

  /** The head, and the body behind it as it can be read and there is room. `user.sent` tells when all of it is on its way: at once when there is no body. */
  send (fields: readonly string[], source: Source | undefined): void {
    if (this.over || this.localEnded) return
    this.#sendHead(encodeFields(fields), source === undefined)
    if (source === undefined) return this.endLocal()
    this.source = source
    this.progressMs = performance.now()
    this.#home.queue(this)
  }

  /** A source that gave `null` has something now. `urgent`: it is not worth waiting for what else this turn of the event loop brings. */
  wake (urgent: boolean): void {
    this.reading = false
    this.#home.queue(this)
    if (urgent) this.#home.flush()
  }

  /** Fields behind the body. Those that are none of HTTP's are the user's fault. */
  sendTrailers (fields: readonly string[]): void {
    this.#sendHead(encodeFields(fields), true)
    this.endLocal()
  }

  /** A frame that ended our half is out. */
  endLocal (): void {
    this.localEnded = true
    this.source = this.held = undefined
    const { user } = this
    this.#settle()
    user?.sent()
  }

  /** The other side has ended its half. To be called before the user hears of it. */
  endRemote (): void {
    this.remoteEnded = true
    this.#settle()
  }

  #settle (): void {
    if (this.localEnded && this.remoteEnded) this.#end(false)
  }

  /** Ends both halves at once. The user is not told. */
  reset (code: number): void {
    if (this.over) return
    this.#home.put(frameHeader(4, frameType.rstStream, 0, this.id) + uint32(code))
    this.#end(true)
  }

  /** The other side, or the connection, has ended both halves. */
  break (reason: Broken): void {
    if (this.over) return
    const { user } = this
    this.#end(reason.by === 'us')
    user?.broken(reason)
  }

  #end (byUs: boolean): void {
    this.over = true
    this.source = this.held = undefined
    // A body that has come to its end may still be read.
    if (!this.remoteEnded) this.#forget()
    this.user = undefined
    this.#home.over(this, byUs)
  }

  /** Resets for a fault of the other side: too many of these end the connection. The user is not told. */
  blame (code: number, detail: string): void {
    this.reset(code)
    this.strike(detail)
  }

  /** Counts a fault of the other side. False when it was one too many, and the connection is gone. */
  strike (detail: string): boolean {
    return this.#home.strike(detail)
  }

  arrived (bytes: number): void {
    if (this.#discarding) this.#home.credit(bytes)
    else this.#unread += bytes
  }

  /** Nobody will read what came or comes: it takes no room of the connection, and the window of the stream is not opened any more. */
  discard (): void {
    this.#discarding = true
    this.#forget()
  }

  /** So much of what `user.data` was given has been read, or will never be. */
  consumed (bytes: number): void {
    const counted = Math.min(bytes, this.#unread)
    if (counted === 0) return
    this.#unread -= counted
    this.#home.credit(counted)
    if (this.remoteEnded || this.over) return
    this.#owed += counted
    // Half a window at a time: the other side never has to wait, and frames stay few.
    if (this.#owed < this.#home.windowBytes / 2) return
    this.#home.put(frameHeader(4, frameType.windowUpdate, 0, this.id) + uint32(this.#owed))
    this.receiveWindow += this.#owed
    this.#owed = 0
  }

  /** The other side may send so much more before it has to wait: who reads is far away, and fast. */
  widen (bytes: number): void {
    if (this.remoteEnded || this.over) return
    this.#home.put(frameHeader(4, frameType.windowUpdate, 0, this.id) + uint32(bytes))
    this.receiveWindow += bytes
  }

  /** Its user is done with it, and with everything behind it: the place among the open streams is free. */
  release (): void {
    if (this.#released) return
    this.#released = true
    this.reset(errorCode.cancel)
    this.#forget()
    this.#home.released(this)
  }

  #forget (): void {
    this.#home.credit(this.#unread)
    this.#unread = 0
  }

  #sendHead (fields: string, end: boolean): void {
    const home = this.#home
    const block = home.takeTableUpdate() ? emptyTable + fields : fields
    const most = home.maxFrameBytes
    const ending = end ? flag.endStream : 0
    if (block.length <= most) return home.put(frameHeader(block.length, frameType.headers, ending | flag.endHeaders, this.id) + block)
    home.put(frameHeader(most, frameType.headers, ending, this.id) + block.slice(0, most))
    for (let at = most; at < block.length; at += most) {
      const piece = block.slice(at, at + most)
      home.put(frameHeader(piece.length, frameType.continuation, at + most >= block.length ? flag.endHeaders : 0, this.id) + piece)
    }
  }
}
