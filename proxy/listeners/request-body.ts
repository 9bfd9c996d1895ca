import type { BodyDecoder } from '../http1/body-decoder.ts'
import { Malformed } from '../http1/fields.ts'
import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { trailersOf } from '../pipeline/trailers.ts'

export interface RequestBodySettings {
  readonly decoder: BodyDecoder
  /** The client may be silent for this long while somebody waits for it. */
  readonly idleMs: number
  /** Called before the first read: where `100 Continue` is sent. */
  readonly beforeFirstRead: (() => void) | undefined
  /** What is not read has grown beyond the window, or has been taken: the connection stops and goes on reading. */
  readonly flow: (reading: boolean) => void
}

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (fault: Fault) => void
}

interface Discarding {
  bytes: number
  readonly done: (complete: boolean) => void
  readonly timer: NodeJS.Timeout
}

/** What arrived and nobody read yet may grow to this before the connection stops reading. */
const windowBytes = 64 * 1024

/** More pieces than this are joined: a client that sends single octets must not make an object of each. */
const mostPieces = 256

/** One object for all: every body is cancelled when its exchange is over, and a stack trace costs a tenth of the exchange. */
const cancelled = new Fault('CLIENT_GONE', 'the request body was cancelled')

/** The body of a request: the connection pushes what arrives, the pipeline pulls. */
export class RequestBody implements Body {
  readonly length: number | undefined
  trailers: HeaderList | undefined = undefined

  readonly #decoder: BodyDecoder
  readonly #idleMs: number
  readonly #flow: (reading: boolean) => void
  #beforeFirstRead: (() => void) | undefined
  #arrived: Buffer[] = []
  #arrivedBytes = 0
  #stopped = false
  #reader: Reader | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #fault: Fault | undefined = undefined
  #discarding: Discarding | undefined = undefined

  constructor ({ decoder, idleMs, beforeFirstRead, flow }: RequestBodySettings) {
    this.#decoder = decoder
    this.length = decoder.outstanding
    this.#idleMs = idleMs
    this.#beforeFirstRead = beforeFirstRead
    this.#flow = flow
  }

  /** Every byte has arrived, whether somebody read it or not. */
  get arrived (): boolean {
    return this.#decoder.complete
  }

  /** Bytes that may still come; `undefined` when nobody can know: chunked, or a client that waits for `100 Continue`. */
  get outstanding (): number | undefined {
    return this.#beforeFirstRead === undefined ? this.#decoder.outstanding : undefined
  }

  /** Nobody has asked for it, and the client has not begun all the same. Once false it stays so: a head that went out without it is never waited for. */
  get expectsContinue (): boolean {
    return this.#beforeFirstRead !== undefined && this.#arrivedBytes === 0 && this.#fault === undefined
  }

  /** Takes what the connection received. Gives where the body ended, or the end of `bytes`. */
  push (bytes: Buffer): number | Malformed {
    const before = this.#arrived.length
    const end = this.#decoder.decode(bytes, 0, this.#arrived)
    if (end instanceof Malformed) return end
    if (this.#fault !== undefined) this.#drop(before)
    else this.#keep(before)
    return end
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    if (this.#beforeFirstRead !== undefined) {
      this.#beforeFirstRead()
      this.#beforeFirstRead = undefined
    }
    const chunk = this.#take()
    if (chunk !== undefined) return chunk
    if (this.arrived) return this.#finish()
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      if (this.#timer === undefined) this.#timer = setTimeout(this.#onIdle, this.#idleMs)
      else this.#timer.refresh()
    })
  }

  cancel (reason?: Fault): void {
    this.fail(reason ?? cancelled)
  }

  /** Whoever reads, now or later, gets this fault. The first one counts. */
  fail (fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    clearTimeout(this.#timer)
    this.#arrived = []
    this.#arrivedBytes = 0
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(fault)
  }

  /**
   * Throws away what still comes, up to limits, so that the client gets to read its answer; then calls `done`.
   * `complete` tells whether the end of the body was seen, that is, whether the connection can be used again.
   */
  discard (limits: { bytes: number, ms: number }, done: (complete: boolean) => void): void {
    this.cancel()
    if (this.arrived) return done(true)
    this.#discarding = { bytes: limits.bytes, done, timer: setTimeout(() => this.stopDiscarding(), limits.ms) }
    this.#go()
  }

  /** The connection is gone, or the limits are reached. */
  stopDiscarding (): void {
    const discarding = this.#discarding
    if (discarding === undefined) return
    this.#discarding = undefined
    clearTimeout(discarding.timer)
    discarding.done(this.arrived)
  }

  #keep (before: number): void {
    for (let index = before; index < this.#arrived.length; index++) this.#arrivedBytes += this.#arrived[index]!.length
    const reader = this.#reader
    if (reader !== undefined) {
      const chunk = this.#take()
      if (chunk !== undefined || this.arrived) {
        this.#reader = undefined
        reader.resolve(chunk ?? this.#finish())
      }
    }
    if (this.#arrived.length > mostPieces) this.#arrived = [Buffer.concat(this.#arrived)]
    if (this.#arrivedBytes > windowBytes && !this.#stopped && !this.arrived) {
      this.#stopped = true
      this.#flow(false)
    }
  }

  #drop (before: number): void {
    const dropped = this.#arrived.splice(before)
    const discarding = this.#discarding
    if (discarding === undefined) return
    for (const chunk of dropped) discarding.bytes -= chunk.length
    if (discarding.bytes < 0 || this.arrived) this.stopDiscarding()
  }

  #take (): Buffer | undefined {
    const chunk = this.#arrived.shift()
    if (chunk === undefined) return undefined
    this.#arrivedBytes -= chunk.length
    if (this.#arrivedBytes === 0) this.#go()
    return chunk
  }

  #go (): void {
    if (!this.#stopped) return
    this.#stopped = false
    this.#flow(true)
  }

  #finish (): undefined {
    this.trailers ??= trailersOf(this.#decoder.trailers)
    clearTimeout(this.#timer)
    return undefined
  }

  readonly #onIdle = (): void => {
    if (this.#reader !== undefined) this.fail(new Fault('CLIENT_TIMEOUT', `no byte of the body for ${this.#idleMs} ms`))
  }
}
