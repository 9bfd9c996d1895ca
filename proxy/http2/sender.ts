import { fieldFlaw } from './field-rules.ts'
import type { Source } from './contract.ts'
import type { Outbox } from './outbox.ts'
import type { ConnectionError } from './head-reader.ts'
import { defaultFrameBytes, defaultWindowBytes, errorCode, flag, frameHeader, frameType, maxWindowBytes } from './protocol.ts'
import type { Stream } from './stream.ts'

/**
 * So many streams may hold the rest of a chunk; the others are not read meanwhile, unless their window takes whatever may come. A client that takes
 * nothing stops its own streams so; at a target, the bodies of some clients must not stop those of others.
 */
const mostHolding = { server: 16, client: Infinity } as const
const wideWindow = 128 * 1024

/**
 * Sends what streams have to send, a frame of each in turn. A source is read only while the windows of its stream and of the connection are open
 * and the connection has room: a stream that nobody reads holds nothing.
 */
export class Sender {
  /** What the other side takes on all streams together. */
  window = defaultWindowBytes
  /** Frames that went out. */
  frames = 0
  readonly #outbox: Outbox
  readonly #mostHolding: number
  /** Called when something can be sent again. */
  readonly #wake: () => void
  #queue: Stream[] = []
  /** Streams with a chunk that their window did not take to its end. */
  #holding = 0
  /** Streams that may not become one of them now. */
  #patient: Stream[] = []

  constructor (outbox: Outbox, role: 'server' | 'client', wake: () => void) {
    this.#mostHolding = mostHolding[role]
    this.#outbox = outbox
    this.#wake = wake
  }

  /** Something could be sent now. */
  get ready (): boolean {
    return this.#queue.length > 0 && this.window > 0
  }

  /** The other side takes more on all streams together. Gives the error it is, or `undefined`. */
  widen (bytes: number): ConnectionError | undefined {
    if (bytes === 0) return { code: errorCode.protocolError, detail: 'WINDOW_UPDATE of nothing' }
    this.window += bytes
    if (this.window > maxWindowBytes) return { code: errorCode.flowControlError, detail: 'a window above 2^31-1' }
    if (this.ready) this.#wake()
    return undefined
  }

  queue (stream: Stream): void {
    if (stream.queued || stream.reading || stream.source === undefined) return
    stream.queued = true
    this.#queue.push(stream)
    this.#wake()
  }

  /** Puts at most a little more than `bytes` out. */
  pump (bytes: number): void {
    const end = this.#outbox.bytes + bytes
    const queue = this.#queue
    let at = 0
    // Those that have more to send queue up again, behind the others.
    while (at < queue.length && this.#outbox.bytes < end && this.#turn(queue[at]!)) at++
    queue.splice(0, at)
  }

  /** The stream holds nothing any more: others may. */
  over (stream: Stream): void {
    if (!stream.holds) return
    stream.holds = false
    this.#holding--
    for (const other of this.#patient.splice(0)) this.queue(other)
  }

  stop (): void {
    this.#queue = []
    this.#patient = []
  }

  /** False when the stream has to wait for the window of the connection, as all others then have. */
  #turn (stream: Stream): boolean {
    stream.queued = false
    const { source } = stream
    if (source === undefined || stream.over || stream.reading) return true
    const ending = stream.held === undefined && stream.sentBytes === source.length
    // Its own window: it comes back when that opens.
    if (!ending && stream.sendWindow <= 0) return true
    if (!ending && this.window <= 0) {
      stream.queued = true
      return false
    }
    if (!ending && stream.held === undefined && this.#holding >= this.#mostHolding && stream.sendWindow < wideWindow) {
      this.#patient.push(stream)
      return true
    }
    if (stream.held === undefined) this.#read(stream)
    if (stream.held !== undefined) this.#sendPiece(stream)
    return true
  }

  #sendPiece (stream: Stream): void {
    const held = stream.held!
    const from = stream.heldAt
    const to = Math.min(held.length, from + Math.min(stream.sendWindow, this.window, defaultFrameBytes))
    const bytes = to - from
    stream.sendWindow -= bytes
    this.window -= bytes
    stream.sentBytes += bytes
    stream.progressMs = performance.now()
    this.frames++
    if (to < held.length) {
      stream.heldAt = to
      if (!stream.holds) this.#holding++
      stream.holds = true
      this.#outbox.data(frameHeader(bytes, frameType.data, 0, stream.id), held, from, to)
      return this.queue(stream)
    }
    stream.held = undefined
    this.over(stream)
    // A source that says its length has come to its end, and most know that at once: it needs no frame of its own then.
    const atEnd = stream.sentBytes === stream.source!.length
    const next = atEnd ? this.#readFrom(stream) : null
    const ended = next === undefined && stream.source?.trailers === undefined
    this.#outbox.data(frameHeader(bytes, frameType.data, ended ? flag.endStream : 0, stream.id), held, from, to)
    if (ended) return stream.endLocal()
    if (atEnd) this.#taken(stream, next)
    this.queue(stream)
  }

  #read (stream: Stream): void {
    this.#taken(stream, this.#readFrom(stream))
  }

  #readFrom (stream: Stream): ReturnType<Source['read']> {
    try {
      return stream.source!.read()
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)))
    }
  }

  #taken (stream: Stream, next: ReturnType<Source['read']>): void {
    if (!(next instanceof Promise) && next !== null) return this.#hold(stream, next)
    stream.reading = true
    if (next === null) return
    next.then((chunk) => {
      stream.reading = false
      if (stream.over || stream.source === undefined) return
      stream.progressMs = performance.now()
      this.#hold(stream, chunk)
      this.queue(stream)
    }, (error: unknown) => {
      stream.reading = false
      if (stream.over || stream.source === undefined) return
      stream.source = undefined
      stream.user?.failed(error)
    })
  }

  #hold (stream: Stream, chunk: Buffer | undefined): void {
    if (chunk !== undefined) {
      stream.held = chunk
      stream.heldAt = 0
      return
    }
    const trailers = sendable(stream.source!.trailers?.raw() ?? [])
    if (trailers.length > 0) return stream.sendTrailers(trailers)
    this.#outbox.frame(frameHeader(0, frameType.data, flag.endStream, stream.id))
    this.#wake()
    stream.endLocal()
  }
}

/** What is no field is left out: somebody down the line would take it for another one, or for none. */
function sendable (trailers: readonly string[]): readonly string[] {
  return trailers.filter((_, at) => {
    const name = at - at % 2
    return !trailers[name]!.startsWith(':') && fieldFlaw(trailers[name]!.toLowerCase(), trailers[name + 1]!) === undefined
  })
}
