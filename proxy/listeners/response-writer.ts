import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { lastChunk, oneWriteBytes, writePiece } from '../http1/write.ts'
import type { Body, MaybePromise } from '../pipeline/body.ts'
import type { Client, Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { endable, EventStream } from './event-stream.ts'
import type { RequestBody } from './request-body.ts'
import { interimHead, responseHead, switchHead, type ResponseFraming } from './response-head.ts'
import type { UpgradeInput } from './upgrade-input.ts'

export interface ResponseWriterSettings {
  readonly request: { readonly method: string, readonly version: string }
  readonly requestBody: RequestBody | undefined
  /** The client asked for a tunnel. */
  readonly upgrade: { readonly input: UpgradeInput, readonly key: string } | undefined
  /** A client that takes no byte for this long is cut off. */
  readonly idleMs: number
  /** Whether this answer is the last one of its connection, asked when the head is written. */
  readonly isLast: () => boolean
}

/** A rest of a request body up to this size is read and thrown away so that the connection can be kept. */
const keptDrainBytes = 64 * 1024

/** Interim answers that wait for the client to read them. */
const mostInterimBytes = 64 * 1024

/** Writes one answer to the socket of its connection. */
export class ResponseWriter implements Client {
  began = false
  /** The last byte was handed to the socket. */
  written = false
  /** The connection ends after this answer. */
  last = false
  /** Where bytes of the answer are counted. */
  exchange: Exchange | undefined = undefined

  readonly #socket: Socket
  readonly #settings: ResponseWriterSettings
  #framing: ResponseFraming = 'none'
  #body: Body | undefined = undefined
  #gone: Fault | undefined = undefined
  #reject: ((fault: Fault) => void) | undefined = undefined

  constructor (socket: Socket, settings: ResponseWriterSettings) {
    this.#socket = socket
    this.#settings = settings
  }

  send (reply: Reply): MaybePromise<void> {
    if (this.#gone !== undefined) throw this.#gone
    if (this.began) throw new Fault('INTERNAL', 'a second answer for one request')
    if (reply.status === 101) return this.#tunnel(reply)
    if (reply.status < 200) throw new Fault('INTERNAL', `an interim answer of ${reply.status} in the place of an answer`)
    const body = endable(reply)
    const head = this.#begin(reply)
    try {
      if (this.#framing === 'none' || body === undefined) {
        body?.cancel()
        this.#socket.write(head, 'latin1')
        return this.#out()
      }
      this.#body = body
      const first = body.read()
      if (first instanceof Promise || !this.#isAll(first, body)) return this.#sendPieces(body, head, [first])
      const end = body.read()
      if (end !== undefined) return this.#sendPieces(body, head, [first, end])
      // Most answers are all there by now: one write, and no promise.
      writePiece(this.#socket, first, head, false)
      if (this.exchange !== undefined) this.exchange.responseBytes = first.length
      return this.#out()
    } catch (error) {
      // The head may be out: only a cut tells the client that this is not the whole answer.
      this.abort()
      throw error
    }
  }

  /** Ends a stream of events behind the one that is passing. False for any other answer. */
  finishEvents (): boolean {
    if (!(this.#body instanceof EventStream)) return false
    this.#body.finish()
    return true
  }

  /** Nobody has to hear of it: a client that does not even read what it got gets no more of them. */
  interim (status: number, headers: HeaderList): void {
    if (this.began || this.#gone !== undefined || this.#socket.writableLength > mostInterimBytes) return
    this.#socket.write(interimHead(status, headers.raw()), 'latin1')
  }

  abort (): void {
    // An answer delimited by the end of the connection would look complete after an orderly end. TLS tells the difference itself.
    // A socket that is being ended already cannot be reset: Node would keep its handle for ever.
    if (this.#framing === 'close' && !(this.#socket instanceof TLSSocket) && !this.#socket.writableEnded) this.#socket.resetAndDestroy()
    this.#socket.destroy()
  }

  /** The connection is closed. Everything that waits for it, and everything later, gets the fault. */
  gone (fault: Fault): void {
    if (this.#gone !== undefined) return
    this.#gone = fault
    const reject = this.#reject
    this.#reject = undefined
    reject?.(fault)
    this.#body?.cancel(fault)
  }

  /** The connection is a tunnel from here to its end: over when both sides have ended, or one cannot go on. */
  async #tunnel (reply: Reply): Promise<void> {
    const { upgrade } = this.#settings
    if (upgrade === undefined || reply.body === undefined) throw new Fault('INTERNAL', 'a switch of protocols that the client did not ask for')
    const head = switchHead(reply.headers.raw(), upgrade.key)
    this.began = true
    this.last = true
    this.#framing = 'close'
    try {
      upgrade.input.switch()
      this.#body = reply.body
      await this.#stream(reply.body, head, [])
      this.#socket.end()
      await upgrade.input.over()
      this.written = true
    } catch (error) {
      this.abort()
      throw error
    }
  }

  /** The head as it goes out. Nothing was written when this throws. */
  #begin (reply: Reply): string {
    this.last = this.#settings.isLast() || !this.#canDrain()
    const { text, framing } = responseHead(reply, this.#settings.request, this.last)
    this.last ||= framing === 'close'
    this.began = true
    this.#framing = framing
    return text
  }

  /** Whether what the client still sends can be read away, so that the next request on the connection is found. */
  #canDrain (): boolean {
    const { requestBody } = this.#settings
    if (requestBody === undefined || requestBody.arrived) return true
    return requestBody.outstanding !== undefined && requestBody.outstanding <= keptDrainBytes
  }

  #isAll (piece: Buffer | undefined, { length }: Body): piece is Buffer {
    return piece !== undefined && this.#framing === 'length' && piece.length === length && length <= oneWriteBytes
  }

  /** The last byte was handed over. */
  #out (): MaybePromise<void> {
    this.written = true
    return this.#socket.writableLength === 0 ? undefined : this.#taken()
  }

  async #sendPieces (body: Body, head: string, begun: Array<MaybePromise<Buffer | undefined>>): Promise<void> {
    try {
      await this.#stream(body, head, begun)
      await this.#out()
    } catch (error) {
      this.abort()
      throw error
    }
  }

  /** `begun`: what was read of the body already. */
  async #stream (body: Body, head: string, begun: Array<MaybePromise<Buffer | undefined>>): Promise<void> {
    const socket = this.#socket
    const expected = this.#framing === 'length' ? body.length : undefined
    let bytes = 0
    let unsent: string | undefined = head
    for (;;) {
      const next = begun.length > 0 ? begun.shift() : body.read()
      if (unsent !== undefined && next instanceof Promise) {
        // The body has nothing yet: the head must not wait for it.
        socket.write(unsent, 'latin1')
        unsent = undefined
      }
      const chunk = next instanceof Promise ? await next : next
      if (this.#gone !== undefined) throw this.#gone
      if (chunk === undefined) break
      bytes += chunk.length
      if (expected !== undefined && bytes > expected) throw new Fault('INTERNAL', `a body longer than its ${expected} bytes`)
      if (this.exchange !== undefined) this.exchange.responseBytes = bytes
      const ready = writePiece(socket, chunk, unsent ?? '', this.#framing === 'chunked')
      unsent = undefined
      // Of a large piece the stream says that it is too much even when the system took all of it.
      if (!ready && socket.writableLength > 0) await this.#taken()
      if (body.recycle !== undefined && socket.writableLength === 0) body.recycle(chunk)
    }
    if (expected !== undefined && bytes < expected) throw new Fault('UPSTREAM_RESET', `a body of ${bytes} instead of ${expected} bytes`)
    const end = (unsent ?? '') + (this.#framing === 'chunked' ? lastChunk(body.trailers?.raw() ?? []) : '')
    if (end !== '') socket.write(end, 'latin1')
  }

  /** Waits until the system has taken everything. Node's socket time-out sees progress below the size of one chunk, a timer here would not. */
  #taken (): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    return new Promise((resolve, reject) => {
      this.#reject = reject
      this.#socket.setTimeout(this.#settings.idleMs)
      const settle = (error?: unknown): void => {
        // A socket that was destroyed and has not said so yet calls back as well.
        if (error instanceof Error) return reject(new Fault('CLIENT_GONE', error.message))
        this.#reject = undefined
        this.#socket.setTimeout(0)
        resolve()
      }
      if (this.#socket.writableNeedDrain) this.#socket.once('drain', settle)
      else this.#socket.write('', settle)
    })
  }
}
