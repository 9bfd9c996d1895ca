import type { Stream } from '../http2/index.ts'
import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { trailersOf } from '../pipeline/trailers.ts'

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (fault: Fault) => void
}

/** Pieces below this size are copied: each would keep all that was received with it. */
const copiedBytes = 1024

/** More pieces than this are joined: a client that sends single octets must not make an object of each. */
const mostPieces = 256

/** The body of a request that came on a stream: what is not read is bounded by the window of the stream. */
export class StreamBody implements Body {
  readonly length: number | undefined
  trailers: HeaderList | undefined = undefined
  /** Since when somebody waits for the client; Infinity while nobody does. */
  waitingSinceMs = Infinity
  /** The client has said all of it. */
  arrived = false
  readonly #stream: Stream
  #beforeFirstRead: (() => void) | undefined
  #pieces: Buffer[] = []
  #received = 0
  #reader: Reader | undefined = undefined
  #fault: Fault | undefined = undefined

  constructor (stream: Stream, length: number | undefined, beforeFirstRead: (() => void) | undefined) {
    this.#stream = stream
    this.length = length
    this.#beforeFirstRead = beforeFirstRead
  }

  /** Nobody has asked for it, and the client has not begun all the same. */
  get expectsContinue (): boolean {
    return this.#beforeFirstRead !== undefined && this.#received === 0 && !this.arrived
  }

  /** False when it is not as long as it said that it would be. */
  push (bytes: Buffer, ended: boolean): boolean {
    this.#received += bytes.length
    if (this.length !== undefined && (this.#received > this.length || ended && this.#received < this.length)) return false
    if (this.#fault !== undefined) return true
    if (bytes.length > 0) this.#pieces.push(bytes.length < copiedBytes ? Buffer.from(bytes) : bytes)
    if (this.#pieces.length > mostPieces) this.#pieces = [Buffer.concat(this.#pieces)]
    if (ended) this.end([])
    else this.#serve()
    return true
  }

  /** False when bytes are missing. */
  end (trailers: readonly string[]): boolean {
    if (this.length !== undefined && this.#received < this.length) return false
    this.arrived = true
    this.trailers = trailersOf(trailers)
    this.#serve()
    return true
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    if (this.#beforeFirstRead !== undefined) {
      // Who has begun to send does not wait.
      if (this.#received === 0 && !this.arrived) this.#beforeFirstRead()
      this.#beforeFirstRead = undefined
    }
    if (this.#pieces.length > 0 || this.arrived) return this.#take()
    this.waitingSinceMs = performance.now()
    return new Promise((resolve, reject) => { this.#reader = { resolve, reject } })
  }

  cancel (reason?: Fault): void {
    if (this.#fault !== undefined || this.arrived && this.#pieces.length === 0) return
    this.fail(reason ?? new Fault('CLIENT_GONE', 'the request body was cancelled'))
  }

  /** Whoever reads, now or later, gets this fault. The first one counts. */
  fail (fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#pieces = []
    // The connection goes on: what this stream still sends takes nothing away from the others.
    this.#stream.discard()
    this.waitingSinceMs = Infinity
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(fault)
  }

  #serve (): void {
    const reader = this.#reader
    if (reader === undefined || this.#pieces.length === 0 && !this.arrived) return
    this.#reader = undefined
    this.waitingSinceMs = Infinity
    reader.resolve(this.#take())
  }

  #take (): Buffer | undefined {
    const piece = this.#pieces.shift()
    if (piece !== undefined) this.#stream.consumed(piece.length)
    return piece
  }
}
