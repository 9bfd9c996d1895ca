import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Violation } from './frame-head.ts'
import type { FrameScanner } from './frame-scanner.ts'

export interface LaneEvents {
  /** Bytes came from the sender of this lane. */
  heard (lane: Lane): void
  /** The sender broke a rule. Nothing of the frame passes. */
  violated (lane: Lane, violation: Violation): void
  /** The sender says nothing more: it has ended its side, or closed in frames. */
  ended (lane: Lane): void
  /** The proxy is closing. */
  closing (): void
}

interface Reader {
  readonly resolve: (chunk: MaybePromise<Buffer | undefined>) => void
}

interface Insertion {
  readonly frame: Buffer
  readonly sent: () => void
}

/** Last words wait so long for the end of a frame that is passing; a broken frame is worse than none. */
const borderMs = 1_000

/** One direction of a tunnel: bytes as they come, frames of the proxy between those of the sender. */
export class Lane implements Body {
  readonly length = undefined
  readonly trailers = undefined
  readonly #source: Body
  readonly #events: LaneEvents
  /** `undefined`: bytes pass unread, and nothing is put between them. */
  #scanner: FrameScanner | undefined
  /** Frames are read for the sake of last words alone: what is none passes as it is. */
  readonly #lenient: boolean
  #ready: Buffer[] = []
  #due: Insertion[] = []
  #last: { readonly frame: Buffer | undefined } | undefined = undefined
  #lastTimer: NodeJS.Timeout | undefined = undefined
  #reader: Reader | undefined = undefined
  #pulling = false
  #sourceOver = false
  #ended = false
  #error: Error | undefined = undefined

  constructor (source: Body, events: LaneEvents, lenient: boolean, scanner?: FrameScanner) {
    this.#source = source
    this.#events = events
    this.#lenient = lenient
    this.#scanner = scanner
  }

  /** From now on: nothing has passed before. */
  follow (scanner: FrameScanner): void {
    this.#scanner = scanner
  }

  read (): MaybePromise<Buffer | undefined> {
    for (;;) {
      this.#insert()
      const chunk = this.#ready.shift()
      if (chunk !== undefined) return chunk
      if (this.#ended) return undefined
      if (this.#error !== undefined) throw this.#error
      if (this.#pulling) break
      const next = this.#source.read()
      if (next instanceof Promise) {
        this.#pulling = true
        next.then((arrived) => this.#arrived(arrived), (error: unknown) => this.#broke(error))
        break
      }
      this.#take(next)
    }
    return new Promise((resolve) => { this.#reader = { resolve } })
  }

  /** Puts a frame behind the one that is passing; not behind a Close. `sent`: it is on its way. */
  put (frame: Buffer, sent: () => void): void {
    if (this.#scanner === undefined || this.#ended || this.#last !== undefined) return
    this.#due.push({ frame, sent })
    this.#wake()
  }

  /** Nothing of the sender passes any more. `frame` is the last there is, where frames can be told apart and a Close has not passed. */
  finish (frame: Buffer): void {
    if (this.#ended || this.#last !== undefined) return
    const scanner = this.#scanner
    this.#due = []
    this.#last = { frame: scanner === undefined || scanner.closed ? undefined : frame }
    if (scanner === undefined || scanner.atBorder || this.#sourceOver) return this.#end()
    this.#lastTimer = setTimeout(() => this.#end(), borderMs)
  }

  cancel (reason?: Fault): void {
    this.#ended = true
    this.#ready = []
    clearTimeout(this.#lastTimer)
    this.#source.cancel(reason)
  }

  #arrived (chunk: Buffer | undefined): void {
    this.#pulling = false
    this.#take(chunk)
    this.#wake()
  }

  #broke (error: unknown): void {
    this.#pulling = false
    this.#sourceOver = true
    if (this.#last !== undefined) this.#end()
    else if (this.#scanner !== undefined && error instanceof Fault && error.code === 'SHUTTING_DOWN') this.#events.closing()
    else this.#error ??= error instanceof Error ? error : new Error(String(error))
    this.#wake()
  }

  #take (chunk: Buffer | undefined): void {
    if (this.#ended) return
    if (chunk === undefined) {
      this.#sourceOver = true
      this.#ended = true
      clearTimeout(this.#lastTimer)
      return this.#events.ended(this)
    }
    this.#events.heard(this)
    if (this.#scanner === undefined) this.#ready.push(chunk)
    else this.#scan(this.#scanner, chunk)
  }

  #scan (scanner: FrameScanner, chunk: Buffer): void {
    const wasClosed = scanner.closed
    for (let at = 0; at < chunk.length;) {
      const end = scanner.scan(chunk, at, this.#ready, this.#due.length > 0 || this.#last !== undefined)
      if (typeof end !== 'number') {
        if (this.#lenient) return this.#unread(end.held, chunk.subarray(end.at))
        this.#sourceOver = true
        return this.#events.violated(this, end)
      }
      at = end
      if (this.#last !== undefined && scanner.atBorder) return this.#end()
      this.#insert()
    }
    if (scanner.closed && !wasClosed) this.#events.ended(this)
  }

  /** These are no frames: nobody can tell where one would end. */
  #unread (...pieces: readonly Buffer[]): void {
    this.#scanner = undefined
    this.#ready.push(...pieces.filter(({ length }) => length > 0))
    if (this.#last !== undefined) this.#end()
  }

  /** What is due goes out where a frame has just ended. */
  #insert (): void {
    if (this.#due.length === 0 || this.#scanner?.atBorder !== true || this.#ended) return
    const due = this.#due
    this.#due = []
    if (this.#scanner.closed) return
    for (const { frame, sent } of due) {
      this.#ready.push(frame)
      sent()
    }
  }

  #end (): void {
    clearTimeout(this.#lastTimer)
    const frame = this.#last?.frame
    if (frame !== undefined && this.#scanner?.atBorder === true) this.#ready.push(frame)
    this.#ended = true
    this.#source.cancel()
    this.#wake()
  }

  #wake (): void {
    const reader = this.#reader
    if (reader === undefined) return
    this.#reader = undefined
    // It throws where a promise has to be rejected.
    reader.resolve(new Promise((resolve) => { resolve(this.read()) }))
  }
}
