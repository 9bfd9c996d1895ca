import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Body } from '../pipeline/body.ts'
import type { Client, Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { RequestBody } from './request-body.ts'
import { responseHead, type ResponseFraming } from './response-head.ts'

export interface ResponseWriterSettings {
  readonly request: { readonly method: string, readonly version: string }
  readonly requestBody: RequestBody | undefined
  /** A client that takes no byte for this long is cut off. */
  readonly idleMs: number
  /** Whether this answer is the last one of its connection, asked when the head is written. */
  readonly isLast: () => boolean
  /** The last answer is about to be written while the client is still sending. */
  readonly beforeCutOff: (body: RequestBody) => void
}

/** A rest of a request body up to this size is read and thrown away so that the connection can be kept. */
const keptDrainBytes = 64 * 1024

/** Answers up to this size are copied into the buffer of their head. */
const oneWriteBytes = 16 * 1024

interface Waiter {
  readonly resolve: () => void
  readonly reject: (fault: Fault) => void
}

/** Writes one answer over `node:http`. */
export class ResponseWriter implements Client {
  began = false
  /** The connection ends after this answer. */
  last = false
  /** Where bytes of the answer are counted. */
  exchange: Exchange | undefined = undefined

  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #settings: ResponseWriterSettings
  #framing: ResponseFraming = 'none'
  #body: Body | undefined = undefined
  #gone: Fault | undefined = undefined
  #waiter: Waiter | undefined = undefined

  constructor (response: ServerResponse, socket: Socket, settings: ResponseWriterSettings) {
    this.#response = response
    this.#socket = socket
    this.#settings = settings
  }

  async send (reply: Reply): Promise<void> {
    if (this.#gone !== undefined) throw this.#gone
    if (this.began) throw new Fault('INTERNAL', 'a second answer for one request')
    const framing = this.#begin(reply)
    try {
      if (framing === 'none' || reply.body === undefined) {
        reply.body?.cancel()
        this.#response.end()
      } else {
        await this.#stream(reply.body, framing)
      }
      await this.#flushed()
    } catch (error) {
      // The head is out: only a cut tells the client that this is not the whole answer.
      this.abort()
      throw error
    }
  }

  abort (): void {
    // An answer delimited by the end of the connection would look complete after an orderly end. TLS tells the difference itself.
    if (this.#framing === 'close' && !(this.#socket instanceof TLSSocket)) this.#socket.resetAndDestroy()
    this.#socket.destroy()
  }

  /** The connection is closed. Everything that waits for it, and everything later, gets the fault. */
  gone (fault: Fault): void {
    if (this.#gone !== undefined) return
    this.#gone = fault
    const waiter = this.#waiter
    this.#waiter = undefined
    waiter?.reject(fault)
    this.#body?.cancel(fault)
  }

  #begin (reply: Reply): ResponseFraming {
    this.last = this.#settings.isLast() || !this.#canDrain()
    const { fields, framing } = responseHead(reply, this.#settings.request, this.last)
    this.last ||= framing === 'close'
    const { requestBody } = this.#settings
    if (this.last && requestBody?.arrived === false) this.#settings.beforeCutOff(requestBody)
    try {
      this.#response.writeHead(reply.status, fields)
    } catch (error) {
      // A field that cannot be written, such as one with a line break in it. Nothing went out.
      throw new Fault('INTERNAL', `the head of the answer is not valid HTTP: ${error instanceof Error ? error.message : ''}`, error)
    }
    this.began = true
    this.#framing = framing
    return framing
  }

  /** Whether what the client still sends can be read away, so that the next request on the connection is found. */
  #canDrain (): boolean {
    const { requestBody } = this.#settings
    if (requestBody === undefined || requestBody.arrived) return true
    return requestBody.outstanding !== undefined && requestBody.outstanding <= keptDrainBytes
  }

  async #stream (body: Body, framing: ResponseFraming): Promise<void> {
    const response = this.#response
    const expected = framing === 'length' ? body.length : undefined
    let bytes = 0
    let headOut = false
    this.#body = body
    for (;;) {
      const next = body.read()
      if (!headOut && next instanceof Buffer && next.length === expected && next.length <= oneWriteBytes) return this.#writeWhole(next)
      if (!headOut && next instanceof Promise) {
        // The body has nothing yet: the head must not wait for it. Unlike flushHeaders, this writes the head as latin1.
        response.write(Buffer.alloc(0))
      }
      headOut = true
      const chunk = next instanceof Promise ? await next : next
      if (this.#gone !== undefined) throw this.#gone
      if (chunk === undefined) break
      bytes += chunk.length
      if (expected !== undefined && bytes > expected) throw new Fault('INTERNAL', `a body longer than its ${expected} bytes`)
      if (this.exchange !== undefined) this.exchange.responseBytes = bytes
      if (!response.write(chunk)) await this.#wait('drain')
    }
    if (expected !== undefined && bytes < expected) throw new Fault('UPSTREAM_RESET', `a body of ${bytes} instead of ${expected} bytes`)
    if (framing === 'chunked' && body.trailers !== undefined) addTrailers(response, body.trailers)
    response.end()
  }

  /** As latin1 text, which Node joins with the head: one write instead of a gathered one. */
  #writeWhole (content: Buffer): void {
    if (this.exchange !== undefined) this.exchange.responseBytes = content.length
    this.#response.end(content.toString('latin1'), 'latin1')
  }

  /** Small answers are in the hands of the system at once. */
  async #flushed (): Promise<void> {
    if (this.#response.writableFinished || (this.#response.socket !== null && this.#socket.writableLength === 0)) return
    await this.#wait('finish')
  }

  /** Waits for the client to take bytes. Node's socket time-out sees progress below the size of one chunk, a timer here would not. */
  #wait (event: 'drain' | 'finish'): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    return new Promise((resolve, reject) => {
      this.#socket.setTimeout(this.#settings.idleMs)
      const settle = (): void => {
        this.#waiter = undefined
        // After "finish" Node has set the keep-alive time-out.
        if (event === 'drain') this.#socket.setTimeout(0)
        resolve()
      }
      this.#response.once(event, settle)
      this.#waiter = { resolve, reject }
    })
  }
}

function addTrailers (response: ServerResponse, trailers: HeaderList): void {
  // Pairs keep duplicates; the type of Node knows only the object form of pairs.
  response.addTrailers([...trailers])
}
