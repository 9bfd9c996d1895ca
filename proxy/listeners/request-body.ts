import type { IncomingMessage } from 'node:http'
import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { trailersOf } from '../pipeline/trailers.ts'

export interface RequestBodySettings {
  readonly length: number | undefined
  /** The client may be silent for this long while somebody waits for it. */
  readonly idleMs: number
  /** Called before the first read: where `100 Continue` is sent. */
  readonly beforeFirstRead: (() => void) | undefined
}

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (fault: Fault) => void
}

/** The body of a request as the pipeline pulls it. What is not pulled stays in the socket. */
export class RequestBody implements Body {
  readonly length: number | undefined
  trailers: HeaderList | undefined = undefined

  readonly #message: IncomingMessage
  readonly #idleMs: number
  #beforeFirstRead: (() => void) | undefined
  #listening = false
  #reader: Reader | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #fault: Fault | undefined = undefined
  #received = 0

  constructor (message: IncomingMessage, settings: RequestBodySettings) {
    this.#message = message
    this.length = settings.length
    this.#idleMs = settings.idleMs
    this.#beforeFirstRead = settings.beforeFirstRead
  }

  /** Every byte has arrived, whether somebody read it or not. */
  get arrived (): boolean {
    return this.#message.complete
  }

  /** Bytes that may still come; `undefined` when nobody can know: chunked, or a client that waits for `100 Continue`. */
  get outstanding (): number | undefined {
    if (this.length === undefined || this.#beforeFirstRead !== undefined) return undefined
    return this.length - this.#received
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault)
    if (this.#beforeFirstRead !== undefined) {
      this.#beforeFirstRead()
      this.#beforeFirstRead = undefined
    }
    const chunk = this.#take()
    if (chunk !== undefined) return chunk
    if (this.#message.complete) return this.#finish()
    if (!this.#listening) {
      this.#listening = true
      this.#message.on('readable', this.#onReadable)
    }
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      if (this.#timer === undefined) this.#timer = setTimeout(this.#onIdle, this.#idleMs)
      else this.#timer.refresh()
    })
  }

  cancel (reason?: Fault): void {
    this.fail(reason ?? new Fault('CLIENT_GONE', 'the request body was cancelled'))
  }

  /** Whoever reads, now or later, gets this fault. The first one counts. */
  fail (fault: Fault): void {
    if (this.#fault !== undefined) return
    this.#fault = fault
    this.#release()
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
    const message = this.#message
    const { socket } = message
    let left = limits.bytes
    let over = false
    const finish = (): void => {
      if (over) return
      over = true
      clearTimeout(timer)
      message.off('data', onData).off('end', finish)
      socket.off('close', finish)
      done(message.complete)
    }
    const onData = (chunk: Buffer): void => {
      left -= chunk.length
      if (left < 0) finish()
    }
    const timer = setTimeout(finish, limits.ms)
    message.on('data', onData).on('end', finish)
    // Once its answer is out, Node does not tell the message any more that the connection is gone.
    socket.on('close', finish)
    message.resume()
    if (socket.destroyed || message.destroyed || message.readableEnded) finish()
  }

  #take (): Buffer | undefined {
    // No encoding is set on the message, so chunks are buffers.
    const chunk = this.#message.read() as Buffer | null
    if (chunk === null) return undefined
    this.#received += chunk.length
    return chunk
  }

  #finish (): undefined {
    this.trailers ??= trailersOf(this.#message.rawTrailers)
    this.#release()
    return undefined
  }

  #release (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#listening) this.#message.off('readable', this.#onReadable)
    this.#listening = false
  }

  readonly #onReadable = (): void => {
    const reader = this.#reader
    if (reader === undefined) return
    const chunk = this.#take()
    if (chunk === undefined && !this.#message.complete) return
    this.#reader = undefined
    reader.resolve(chunk ?? this.#finish())
  }

  readonly #onIdle = (): void => {
    if (this.#reader !== undefined) this.fail(new Fault('CLIENT_TIMEOUT', `no byte of the body for ${this.#idleMs} ms`))
  }
}
