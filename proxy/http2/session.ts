import type { Socket } from 'node:net'
import { Numbered } from '../../proto/numbered.ts'
import { Budgets, type Budget } from './budget.ts'
import type { SessionSettings, SessionUser, Source, StreamUser } from './contract.ts'
import { Farewell } from './farewell.ts'
import type { FrameReader } from './frame-reader.ts'
import { HeadReader, isInterim, priorityFault, problemOf, trailersProblem, type ConnectionError, type ReceivedHead } from './head-reader.ts'
import type { DecodedBlock } from './hpack-decoder.ts'
import { Intake, type IntakeUser } from './intake.ts'
import { endSocket } from './linger.ts'
import { opening } from './opening.ts'
import { Outbox } from './outbox.ts'
import { PeerSettings } from './peer-settings.ts'
import { defaultFrameBytes, errorCode, errorName, flag, frameHeader, frameType, maxWindowBytes, uint32 } from './protocol.ts'
import { RecentIds } from './recent-ids.ts'
import { Sender } from './sender.ts'
import { Stream, type StreamHome } from './stream.ts'

/** So much goes out before the socket is asked whether it can take more. */
const turnBytes = 64 * 1024

/** What streams share a connection for: one HTTP/2 connection, in either role (RFC 9113). */
export class Session implements StreamHome, IntakeUser {
  readonly socket: Socket
  readonly role: 'server' | 'client'
  readonly windowBytes: number
  readonly #settings: SessionSettings
  readonly #user: SessionUser
  readonly #peer = new PeerSettings()
  readonly #intake: Intake
  readonly #reader: FrameReader
  readonly #heads: HeadReader
  readonly #outbox: Outbox
  readonly #sender: Sender
  readonly #streams = new Numbered<Stream>()
  readonly #ended = new RecentIds()
  readonly #endedByUs = new RecentIds()
  readonly #budgets = new Budgets()
  /** Streams that have their place, over or not. */
  #places = 0
  /** The last stream that was looked at; GOAWAY tells it. */
  #lastPeerId = 0
  #highestPeerId = 0
  #nextId = 1
  #receiveWindow: number
  #owed = 0
  #idleSinceMs: number
  #scheduled = false
  /** We have said that we go away, or the other side has. */
  #leaving = false
  #peerLeaving = false
  #over = false
  #farewell: Farewell | undefined = undefined

  constructor (socket: Socket, settings: SessionSettings, user: SessionUser) {
    this.socket = socket
    this.role = settings.role
    this.windowBytes = settings.streamWindowBytes
    this.#settings = settings
    this.#user = user
    this.#heads = new HeadReader({ maxBytes: settings.maxHeaderBytes, maxFields: settings.maxHeaderCount })
    this.#intake = new Intake(socket, settings.role === 'server', this)
    this.#reader = this.#intake.reader
    this.#outbox = new Outbox(socket, settings.socketIdleMs ?? 0)
    this.#sender = new Sender(this.#outbox, settings.role, () => this.#schedule())
    this.#receiveWindow = settings.connectionWindowBytes
    this.#idleSinceMs = performance.now()
    this.put(opening(settings))
    socket.on('drain', () => this.#drained())
    socket.on('end', () => void (this.#places > 0 ? socket.destroy() : socket.end()))
    socket.on('error', () => { /* 'close' follows */ })
    socket.once('close', () => this.#closed())
  }

  /** Streams that have a place: open, or over and not released. */
  get places (): number {
    return this.#places
  }

  /** How many more streams may be opened now (client). */
  get room (): number {
    if (this.#over || this.#leaving || this.#peerLeaving || this.#nextId > maxWindowBytes) return 0
    return Math.max(0, Math.min(this.#settings.maxStreams, this.#peer.maxStreams) - this.#places)
  }

  /** The other side said what it allows. */
  get settled (): boolean {
    return this.#peer.received
  }

  /** The other side lets streams become tunnels (RFC 8441). */
  get extendedConnect (): boolean {
    return this.#peer.extendedConnect
  }

  /** Since when a frame, a head or the preface has begun and not ended; Infinity when none has. */
  get beganSinceMs (): number {
    return Math.min(this.#heads.beganSinceMs, this.#intake.beganSinceMs)
  }

  /** Since when the other side takes nothing of what we have to say; Infinity while it does. */
  get fullSinceMs (): number {
    return this.#outbox.fullSinceMs
  }

  /** Since when no stream has a place; Infinity while one has. */
  get idleSinceMs (): number {
    return this.#places === 0 ? this.#idleSinceMs : Infinity
  }

  get maxFrameBytes (): number {
    return Math.min(this.#peer.maxFrameBytes, defaultFrameBytes)
  }

  /** Opens a stream (client); only while there is room. `source` is the body, sent as there is room for it. */
  open (user: StreamUser, fields: readonly string[], source: Source | undefined): Stream {
    const stream = new Stream(this.#nextId, this, this.#peer.windowBytes)
    this.#nextId += 2
    this.#places++
    stream.user = user
    this.#streams.set(stream.id, stream)
    stream.send(fields, source)
    return stream
  }

  /** As `drain`, and the other side is given the time to hear of it (server). */
  sayFarewell (): void {
    if (!this.#leaving && !this.#over) this.#farewell ??= new Farewell((frames) => this.put(frames), () => this.drain())
  }

  /** No further stream is opened by anybody; those that are open go on, and the connection ends with them. */
  drain (): void {
    if (this.#leaving || this.#over) return
    this.#leaving = true
    this.#sayGoAway(errorCode.noError)
    this.#endWhenDone()
  }

  /** Ends the connection at once, telling the other side why. Its streams are told. */
  close (code: number, detail: string): void {
    if (this.#over) return
    this.#sayGoAway(code)
    this.#outbox.flush()
    this.#breakAll(code, detail)
    endSocket(this.socket, code !== errorCode.noError)
  }

  // What streams ask for.

  takeTableUpdate (): boolean {
    return this.#peer.takeTableUpdate()
  }

  put (frame: string): void {
    if (this.#over) return
    this.#outbox.frame(frame)
    this.#schedule()
  }

  get crowded (): boolean {
    return this.#outbox.crowded
  }

  get windowClosed (): boolean {
    return this.#sender.window <= 0
  }

  queue (stream: Stream): void {
    this.#sender.queue(stream)
  }

  credit (bytes: number): void {
    this.#owed += bytes
    if (this.#owed < this.#settings.connectionWindowBytes / 2) return
    this.put(frameHeader(4, frameType.windowUpdate, 0, 0) + uint32(this.#owed))
    this.#receiveWindow += this.#owed
    this.#owed = 0
  }

  over (stream: Stream, byUs: boolean): void {
    this.#sender.over(stream)
    this.#streams.delete(stream.id)
    this.#ended.add(stream.id)
    if (byUs) this.#endedByUs.add(stream.id)
    if (byUs) this.#budgets.late.earn(64 + stream.receiveWindow / 1024)
  }

  released (): void {
    this.#places--
    if (this.#places === 0) this.#idleSinceMs = performance.now()
    this.#endWhenDone()
    if (!this.#over) this.#user.roomChanged?.()
  }

  strike (detail: string): boolean {
    return this.role === 'client' || this.#spend(this.#budgets.resets, 1, `faults, the last of them: ${detail}`)
  }

  // What goes out.

  #sayGoAway (code: number): void {
    this.put(frameHeader(8, frameType.goAway, 0, 0) + uint32(this.#lastPeerId) + uint32(code))
  }

  /** Once for all that one turn of the event loop brings. */
  #schedule (): void {
    if (this.#scheduled || this.#over) return
    this.#scheduled = true
    setImmediate(this.flush)
  }

  readonly flush = (): void => {
    // What is put from here on goes out as well.
    this.#scheduled = true
    if (this.#over) return
    const { frames } = this.#sender
    if (!this.#outbox.full) this.#sender.pump(turnBytes)
    this.#budgets.earnFor(this.#sender.frames - frames)
    this.#outbox.flush()
    this.#scheduled = false
    if (!this.#outbox.full && this.#sender.ready) this.#schedule()
  }

  #drained (): void {
    this.#outbox.drained()
    this.flush()
    if (!this.congested()) this.#intake.decongested()
  }

  // What comes in.

  congested (): boolean {
    if (this.#outbox.crowded) this.flush()
    return this.#outbox.crowded
  }

  frame (): void {
    const { type, stream } = this.#reader
    const { openStream } = this.#heads
    if (openStream !== undefined && (type !== frameType.continuation || stream !== openStream)) {
      return this.fail(errorCode.protocolError, 'another frame in the middle of a head')
    }
    if (!this.#peer.received && type !== frameType.settings) return this.fail(errorCode.protocolError, 'the first frame is not SETTINGS')
    switch (type) {
      case frameType.data: return this.#onData()
      case frameType.headers: return this.#onHeaders()
      case frameType.priority: return this.#onPriority()
      case frameType.rstStream: return this.#onReset()
      case frameType.settings: return this.#onSettings()
      case frameType.pushPromise: return this.fail(errorCode.protocolError, 'PUSH_PROMISE')
      case frameType.ping: return this.#onPing()
      case frameType.goAway: return this.#onGoAway()
      case frameType.windowUpdate: return this.#onWindowUpdate()
      case frameType.continuation: return this.#onHead(this.#heads.continuation(this.#reader))
      default: this.#spend(this.#budgets.control, 1, 'frames of unknown types') // RFC 9113 section 5.5: what nobody knows is ignored.
    }
  }

  #onData (): void {
    const frame = this.#reader
    const { length, stream: id } = frame
    if (id === 0) return this.fail(errorCode.protocolError, 'DATA on stream 0')
    this.#receiveWindow -= length
    if (this.#receiveWindow < 0) return this.fail(errorCode.flowControlError, 'more DATA than the window of the connection')
    if (!frame.unpad()) return this.fail(errorCode.protocolError, 'more padding than frame')
    const stream = this.#streams.get(id)
    const ended = (frame.flags & flag.endStream) !== 0
    if (frame.end === frame.start && !ended && !this.#spend(this.#budgets.control, 1, 'empty DATA frames')) return
    if (stream === undefined || stream.remoteEnded || !stream.headed) {
      this.credit(length)
      if (stream !== undefined && !stream.headed) return this.#streamError(id, errorCode.protocolError, 'DATA in front of a head')
      return this.#onLate(id, 'DATA')
    }
    stream.receiveWindow -= length
    if (stream.receiveWindow < 0) {
      this.credit(length)
      return this.#streamError(id, errorCode.flowControlError, 'more DATA than the window of the stream')
    }
    stream.arrived(length)
    const { user } = stream
    if (ended) stream.endRemote()
    // Padding was read by us.
    const bytes = frame.end - frame.start
    if (bytes < length) stream.consumed(length - bytes)
    if (bytes > 0 || ended) user?.data(frame.bytes.subarray(frame.start, frame.end), ended)
  }

  /** Something for a stream that has ended, in both directions or in this one: it may have crossed our reset, or GOAWAY. */
  #onLate (id: number, what: string): void {
    if (this.#isIdle(id)) return this.fail(errorCode.protocolError, `${what} on a stream that was never opened`)
    if (this.role === 'client') return void this.#spend(this.#budgets.late, 1 + this.#reader.length / 1024, `${what} on ended streams`)
    if (this.#endedByUs.has(id) || id > this.#lastPeerId) return void this.#spend(this.#budgets.control, 1, `${what} on ended streams`)
    if (this.#streams.has(id)) return this.#streamError(id, errorCode.streamClosed, `${what} behind the end of a stream`)
    this.fail(errorCode.streamClosed, `${what} on an ended stream`)
  }

  #isIdle (id: number): boolean {
    return (id % 2 === 1) === (this.role === 'server') ? id > this.#highestPeerId : this.role === 'server' || id >= this.#nextId
  }

  #onHeaders (): void {
    const frame = this.#reader
    const { stream: id } = frame
    if (id === 0) return this.fail(errorCode.protocolError, 'HEADERS on stream 0')
    if (id % 2 === 0) return this.fail(errorCode.protocolError, 'HEADERS on a stream of an even number')
    if (!frame.unpad()) return this.fail(errorCode.protocolError, 'more padding than frame')
    this.#onHead(this.#heads.headers(frame))
  }

  #onHead (head: ReceivedHead | ConnectionError | undefined): void {
    if (head === undefined) return
    if ('code' in head) return this.fail(head.code, head.detail)
    const { stream: id, ended, selfDependent, block } = head
    const stream = this.#streams.get(id)
    if (stream !== undefined && stream.headed) return this.#onTrailers(stream, ended, block)
    if (stream !== undefined) return this.#onAnswer(stream, ended, block)
    if (this.role === 'client') return this.#onLate(id, 'HEADERS')
    if (id > this.#highestPeerId) return this.#onRequest(id, ended, selfDependent, block)
    if (this.#endedByUs.has(id) || this.#ended.has(id) || id > this.#lastPeerId) return this.#onLate(id, 'HEADERS')
    this.fail(errorCode.protocolError, 'a stream of a lower number than the last one')
  }

  #onRequest (id: number, ended: boolean, selfDependent: boolean, block: DecodedBlock): void {
    this.#highestPeerId = id
    // After GOAWAY the client knows that it will not be served.
    if (this.#leaving) return
    this.#lastPeerId = id
    if (selfDependent) return this.#streamError(id, errorCode.protocolError, 'a stream that depends on itself')
    if (this.#places >= this.#settings.maxStreams) return this.#streamError(id, errorCode.refusedStream, 'more streams than allowed')
    const stream = new Stream(id, this, this.#peer.windowBytes)
    stream.headed = true
    stream.remoteEnded = ended
    this.#places++
    this.#streams.set(id, stream)
    const user = this.#user.opened!(stream, block.fields, ended, problemOf(block))
    if (!stream.over) stream.user = user
  }

  #onAnswer (stream: Stream, ended: boolean, block: DecodedBlock): void {
    const problem = problemOf(block)
    if (problem !== undefined) return this.#streamError(stream.id, errorCode.protocolError, problem.detail)
    const interim = isInterim(block.fields)
    if (interim && ended) return this.#streamError(stream.id, errorCode.protocolError, 'an interim head that ends its stream')
    stream.headed = !interim
    const { user } = stream
    if (ended) stream.endRemote()
    user?.head(block.fields, ended)
  }

  #onTrailers (stream: Stream, ended: boolean, block: DecodedBlock): void {
    if (stream.remoteEnded) return this.#onLate(stream.id, 'HEADERS')
    const problem = trailersProblem(block, ended)
    if (problem !== undefined) return this.#streamError(stream.id, errorCode.protocolError, problem)
    const { user } = stream
    stream.endRemote()
    user?.trailers(block.fields)
  }

  #onPriority (): void {
    const { stream: id } = this.#reader
    if (id === 0) return this.fail(errorCode.protocolError, 'PRIORITY on stream 0')
    if (!this.#spend(this.#budgets.control, 1, 'PRIORITY frames')) return
    const wrong = priorityFault(this.#reader)
    // A stream that is not open cannot be reset.
    if (wrong !== undefined && this.#streams.has(id)) this.#streamError(id, wrong.code, wrong.detail)
    else if (wrong !== undefined) this.fail(wrong.code, wrong.detail)
  }

  #onReset (): void {
    const { stream: id, length, bytes, start } = this.#reader
    if (id === 0 || this.#isIdle(id)) return this.fail(errorCode.protocolError, 'RST_STREAM on a stream that was never opened')
    if (length !== 4) return this.fail(errorCode.frameSizeError, 'RST_STREAM of a wrong size')
    const stream = this.#streams.get(id)
    // An answer may end while the client gives it up: that, too, happens rarely. Streams of ours are as few as we like.
    if ((stream === undefined || this.role === 'server') && !this.#spend(this.#budgets.resets, 1, 'resets')) return
    const code = bytes.readUInt32BE(start)
    stream?.break({ code, by: 'peer', unprocessed: code === errorCode.refusedStream, detail: `reset with ${errorName(code)}` })
  }

  #onSettings (): void {
    const { stream: id, flags, length, bytes, start } = this.#reader
    if (id !== 0) return this.fail(errorCode.protocolError, 'SETTINGS on a stream')
    const ack = (flags & flag.ack) !== 0
    if (ack ? length !== 0 : length % 6 !== 0) return this.fail(errorCode.frameSizeError, 'SETTINGS of a wrong size')
    if (ack && !this.#peer.received) return this.fail(errorCode.protocolError, 'the first SETTINGS are an ACK')
    if (!this.#spend(this.#budgets.control, 1 + length / 60, 'SETTINGS') || ack) return
    const before = this.#peer.windowBytes
    const wrong = this.#peer.take(bytes, start, start + length, this.role === 'client')
    if (wrong !== undefined) return this.fail(wrong.code, wrong.detail)
    this.put(frameHeader(0, frameType.settings, flag.ack, 0))
    const more = this.#peer.windowBytes - before
    if (more !== 0) for (const stream of this.#streams.values()) if (!this.#widen(stream, more)) return
    this.#user.roomChanged?.()
  }

  /** RFC 9113 section 6.9.2: it may become negative. */
  #widen (stream: Stream, bytes: number): boolean {
    stream.sendWindow += bytes
    const possible = stream.sendWindow <= maxWindowBytes
    if (!possible) this.fail(errorCode.flowControlError, 'a window above 2^31-1')
    else if (stream.sendWindow > 0) this.#sender.queue(stream)
    return possible
  }

  #onPing (): void {
    const { stream: id, flags, length, bytes, start, end } = this.#reader
    if (id !== 0) return this.fail(errorCode.protocolError, 'PING on a stream')
    if (length !== 8) return this.fail(errorCode.frameSizeError, 'PING of a wrong size')
    if (!this.#spend(this.#budgets.control, 1, 'PING frames')) return
    const payload = bytes.toString('latin1', start, end)
    if ((flags & flag.ack) !== 0) return this.#farewell?.answered(payload)
    this.put(frameHeader(8, frameType.ping, flag.ack, 0) + payload)
  }

  #onGoAway (): void {
    const { stream: id, length, bytes, start } = this.#reader
    if (id !== 0) return this.fail(errorCode.protocolError, 'GOAWAY on a stream')
    if (length < 8) return this.fail(errorCode.frameSizeError, 'GOAWAY of a wrong size')
    if (!this.#spend(this.#budgets.control, 1, 'GOAWAY frames')) return
    const last = bytes.readUInt32BE(start) & 0x7fff_ffff
    const code = bytes.readUInt32BE(start + 4)
    this.#peerLeaving = true
    const detail = `the other side goes away with ${errorName(code)}`
    if (code !== errorCode.noError) this.#user.trouble(detail)
    this.#user.goesAway?.(code)
    if (this.role === 'client') {
      for (const stream of this.#streams.values()) if (stream.id > last) stream.break({ code, by: 'connection', unprocessed: true, detail })
    }
    this.#user.roomChanged?.()
    this.#endWhenDone()
  }

  #onWindowUpdate (): void {
    const { stream: id, length, bytes, start } = this.#reader
    if (length !== 4) return this.fail(errorCode.frameSizeError, 'WINDOW_UPDATE of a wrong size')
    if (!this.#spend(this.#budgets.windowUpdates, 1, 'WINDOW_UPDATE frames')) return
    const more = bytes.readUInt32BE(start) & 0x7fff_ffff
    if (id === 0) {
      const wrong = this.#sender.widen(more)
      return wrong === undefined ? undefined : this.fail(wrong.code, wrong.detail)
    }
    const stream = this.#streams.get(id)
    if (stream === undefined) return this.#isIdle(id) ? this.fail(errorCode.protocolError, 'WINDOW_UPDATE on a stream that was never opened') : undefined
    if (more === 0) return this.#streamError(id, errorCode.protocolError, 'WINDOW_UPDATE of nothing')
    stream.sendWindow += more
    if (stream.sendWindow > maxWindowBytes) return this.#streamError(id, errorCode.flowControlError, 'a window above 2^31-1')
    if (stream.sendWindow > 0) this.#sender.queue(stream)
  }

  // Ends.

  /** False when the other side does more of it than anybody needs to. */
  #spend (budget: Budget, cost: number, what: string): boolean {
    if (budget.spend(cost)) return true
    this.fail(errorCode.enhanceYourCalm, `too many ${what}`)
    return false
  }

  /** Ends one stream for a fault of the other side, which may have wanted just that. */
  #streamError (id: number, code: number, detail: string): void {
    const stream = this.#streams.get(id)
    this.put(frameHeader(4, frameType.rstStream, 0, id) + uint32(code))
    if (stream === undefined) {
      this.#ended.add(id)
      this.#endedByUs.add(id)
    } else {
      stream.break({ code, by: 'us', unprocessed: false, detail })
    }
    this.strike(detail)
  }

  fail (code: number, detail: string): undefined {
    if (this.#over) return
    this.#user.trouble(`${errorName(code)}: ${detail}`)
    this.close(code, detail)
  }

  #breakAll (code: number, detail: string): void {
    this.#over = true
    this.#farewell?.stop()
    this.#sender.stop()
    this.#intake.close()
    this.#heads.clear()
    for (const stream of this.#streams.values()) stream.break({ code, by: 'connection', unprocessed: false, detail })
  }

  #endWhenDone (): void {
    if (this.#over || this.#places > 0 || !(this.#leaving || this.#peerLeaving)) return
    this.#outbox.flush()
    this.#over = true
    this.#intake.close()
    endSocket(this.socket, false)
  }

  #closed (): void {
    if (!this.#over) this.#breakAll(errorCode.cancel, 'the other side closed the connection')
    this.#user.closed()
  }
}
