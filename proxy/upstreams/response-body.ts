import type { Body, MaybePromise } from '../pipeline/body.ts'
import type { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { giveReadBufferBack, keptPieceBytes } from './read-buffers.ts'

/** Where the bytes come from. */
export interface Source {
  /** The piece that is being pushed is held on to as it is; false when that cannot be. */
  keep (): boolean

  /** Bytes are wanted again after `push` gave false. */
  resume (): void
  /** Somebody waits and nothing is there: the moment to watch the clock. */
  awaited (): void
  /** Nobody wants the rest. */
  stop (reason: Fault | undefined): void
}

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (error: Error) => void
}

/** More than this is not held: the connection is not read until somebody pulls. One read of a socket may exceed it. */
const highWaterBytes = 8 * 1024

/** Bytes pushed by a connection, pulled by the pipeline. */
export class ResponseBody implements Body {
  readonly length: number | undefined
  trailers: HeaderList | undefined = undefined
  readonly #source: Source
  readonly #queue: Buffer[] = []
  #queued = 0
  #paused = false
  #state: 'flowing' | 'ended' | 'failed' = 'flowing'
  #error: Error | undefined = undefined
  #reader: Reader | undefined = undefined

  constructor (length: number | undefined, source: Source) {
    this.length = length
    this.#source = source
  }

  read (): MaybePromise<Buffer | undefined> {
    const chunk = this.#queue.shift()
    if (chunk !== undefined) {
      this.#queued -= chunk.length
      if (this.#paused && this.#queued < highWaterBytes / 2) {
        this.#paused = false
        this.#source.resume()
      }
      return chunk
    }
    if (this.#state === 'ended') return undefined
    if (this.#error !== undefined) return Promise.reject(this.#error)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      this.#source.awaited()
    })
  }

  cancel (reason?: Fault): void {
    this.#queue.length = 0
    this.#queued = 0
    if (this.#state === 'flowing') this.#source.stop(reason)
  }

  recycle (chunk: Buffer): void {
    giveReadBufferBack(chunk)
  }

  /** False: no more until `resume`. `piece` is overwritten after the call, unless the source is told to keep it. */
  push (piece: Buffer): boolean {
    const chunk = this.#own(piece)
    const reader = this.#reader
    if (reader !== undefined) {
      this.#reader = undefined
      reader.resolve(chunk)
      return true
    }
    this.#queue.push(chunk)
    this.#queued += chunk.length
    this.#paused = this.#queued >= highWaterBytes
    return !this.#paused
  }

  #own (piece: Buffer): Buffer {
    return piece.length >= keptPieceBytes && this.#source.keep() ? piece : Buffer.from(piece)
  }

  end (trailers: HeaderList | undefined): void {
    this.trailers = trailers
    this.#state = 'ended'
    const reader = this.#reader
    this.#reader = undefined
    reader?.resolve(undefined)
  }

  /** What was received before is still given out; then whoever reads gets the error. */
  fail (error: Error): void {
    if (this.#state !== 'flowing') return
    this.#state = 'failed'
    this.#error = error
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(error)
  }
}

/** For answers that have a length but no bytes: to HEAD, and 304. */
export function lengthOnly (length: number): Body {
  return { length, trailers: undefined, read: () => undefined, cancel () { /* nothing is held */ } }
}
