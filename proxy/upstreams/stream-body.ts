import type { Body, MaybePromise } from '../pipeline/body.ts'
import type { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { giveReadBufferBack, holdReadBuffer, keptPieceBytes, largeReadBytes, takeReadBuffer } from './read-buffers.ts'

/** Where the bytes come from: a stream that is told what was read, and sends as many again. */
export interface StreamBodySource {
  /** So many bytes were handed out. */
  taken (bytes: number): void
  /** Somebody waits and nothing is there: the moment to watch the clock. */
  awaited (): void
  /** Nobody wants the rest. */
  stop (reason: Fault | undefined): void
}

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (error: Error) => void
}

/** More pieces than this are joined: a target that sends single octets must not make an object of each. */
const mostPieces = 64

/** A piece keeps the memory that was received with it, but not so many times its own length. */
const mostWaste = 8

/** The body of an answer on a stream: pushed in frames, pulled by the pipeline. What is not read is bounded by the window of the stream. */
export class StreamBody implements Body {
  readonly length: number | undefined
  trailers: HeaderList | undefined = undefined
  readonly #source: StreamBodySource
  /** Whoever reads writes each chunk out by itself: what came together is handed out together. */
  readonly #joins: boolean
  #queue: Buffer[] = []
  #state: 'flowing' | 'ended' | 'failed' = 'flowing'
  #error: Error | undefined = undefined
  #reader: Reader | undefined = undefined
  #serving = false

  constructor (length: number | undefined, source: StreamBodySource, joins: boolean) {
    this.length = length
    this.#source = source
    this.#joins = joins
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#queue.length > 0) return this.#take()
    if (this.#state === 'ended') return undefined
    if (this.#error !== undefined) return Promise.reject(this.#error)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#source.awaited()
    })
  }

  cancel (reason?: Fault): void {
    this.#queue = []
    if (this.#state === 'flowing') this.#source.stop(reason)
  }

  recycle (chunk: Buffer): void {
    giveReadBufferBack(chunk)
  }

  push (piece: Buffer): void {
    this.#queue.push(piece.length * mostWaste < piece.buffer.byteLength ? Buffer.from(piece) : piece)
    if (this.#queue.length > mostPieces) this.#queue = [Buffer.concat(this.#queue)]
    if (this.#reader === undefined || this.#serving) return
    // Frames that were received together are all here by then.
    this.#serving = true
    queueMicrotask(this.#serve)
  }

  end (trailers: HeaderList | undefined): void {
    this.trailers = trailers
    this.#state = 'ended'
    if (!this.#serving) this.#serve()
  }

  /** What was received before is still given out; then whoever reads gets the error. */
  fail (error: Error): void {
    if (this.#state !== 'flowing') return
    this.#state = 'failed'
    this.#error = error
    if (!this.#serving) this.#serve()
  }

  readonly #serve = (): void => {
    this.#serving = false
    const reader = this.#reader
    this.#reader = undefined
    if (reader === undefined) return
    if (this.#queue.length > 0) reader.resolve(this.#take())
    else if (this.#error === undefined) reader.resolve(undefined)
    else reader.reject(this.#error)
  }

  #take (): Buffer {
    const chunk = this.#joins && this.#queue.length > 1 ? this.#joined() : this.#queue.shift()!
    this.#source.taken(chunk.length)
    return chunk
  }

  #joined (): Buffer {
    const queue = this.#queue
    const pieces: Buffer[] = []
    let bytes = 0
    while (queue.length > 0 && (bytes === 0 || bytes + queue[0]!.length <= largeReadBytes)) {
      const piece = queue.shift()!
      pieces.push(piece)
      bytes += piece.length
    }
    if (pieces.length === 1) return pieces[0]!
    if (bytes < keptPieceBytes) return Buffer.concat(pieces, bytes)
    const buffer = takeReadBuffer(true)
    let at = 0
    for (const piece of pieces) at += piece.copy(buffer, at)
    holdReadBuffer(buffer)
    return buffer.subarray(0, bytes)
  }
}
