import { errorCode, errorName, type Broken, type Stream, type StreamUser } from '../http2/index.ts'
import { EndSignal } from '../pipeline/end-signal.ts'
import type { MaybePromise } from '../pipeline/body.ts'
import type { Client, Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { endable, EventStream } from './event-stream.ts'
import { AnswerSource, answerFields, hasBody, interimFields } from './stream-answer.ts'
import type { StreamBody } from './stream-body.ts'

/** One request of a client and its answer, on a stream of its own. */
export class StreamExchange implements StreamUser, Client {
  began = false
  readonly stream: Stream
  readonly ending = new EndSignal()
  body: StreamBody | undefined = undefined
  /** A tunnel: a `body` that belongs to no request. */
  isTunnel = false
  /** Where bytes of the answer are counted. */
  exchange: Exchange | undefined = undefined
  readonly #method: string
  #gone: Fault | undefined = undefined
  #reply: Reply | undefined = undefined
  #events: EventStream | undefined = undefined
  #settle: { readonly resolve: () => void, readonly reject: (fault: unknown) => void } | undefined = undefined

  constructor (stream: Stream, method: string) {
    this.stream = stream
    this.#method = method
  }

  /** The client is not there any more. */
  get gone (): boolean {
    return this.#gone !== undefined
  }

  // What the stream tells.

  head (): void { /* that of the request came when the stream was opened */ }

  data (bytes: Buffer, ended: boolean): void {
    if (this.body === undefined) return this.stream.consumed(bytes.length)
    if (!this.body.push(bytes, ended)) this.#wrong(wrongLength)
  }

  trailers (fields: string[]): void {
    // As in HTTP/1.1: behind the body they can only be an attempt to have somebody read the request in another way.
    const steers = fields.some((name, at) => at % 2 === 0 && (name === 'content-length' || name === 'host'))
    if (steers) this.#wrong('a field behind the body that belongs in front of it')
    else if (this.body?.end(fields) === false) this.#wrong(wrongLength)
  }

  sent (): void {
    const settle = this.#settle
    this.#settle = undefined
    settle?.resolve()
  }

  failed (error: unknown): void {
    // The head is out: only a reset tells the client that this is not the whole answer.
    this.abort()
    const settle = this.#settle
    this.#settle = undefined
    settle?.reject(error)
  }

  broken ({ by, code, detail }: Broken): void {
    this.end(new Fault('CLIENT_GONE', by === 'peer' ? `the client reset the stream with ${errorName(code)}` : detail))
  }

  #wrong (detail: string): void {
    // Both sides may have ended it by now; the fault counts all the same.
    this.stream.blame(errorCode.protocolError, detail)
    this.end(new Fault('BAD_REQUEST', detail))
  }

  // What the pipeline says.

  send (reply: Reply): MaybePromise<void> {
    if (this.#gone !== undefined) throw this.#gone
    if (this.began) throw new Fault('INTERNAL', 'a second answer for one request')
    // In HTTP/2 a tunnel is a success like others (RFC 8441 section 5).
    if (reply.status === 101) return this.#switch(reply)
    if (reply.status < 200) throw new Fault('INTERNAL', `an interim answer of ${reply.status} in the place of an answer`)
    const fields = answerFields(reply.status, reply, this.#method)
    const { body } = reply
    this.began = true
    if (body === undefined || !hasBody(reply.status, this.#method)) {
      body?.cancel()
      return this.stream.send(fields, undefined)
    }
    return this.#stream(fields, reply)
  }

  #switch (reply: Reply): Promise<void> {
    if (!this.isTunnel || reply.body === undefined) throw new Fault('INTERNAL', 'a switch of protocols that the client did not ask for')
    const headers = reply.headers.clone()
    headers.removeIf((name) => name.toLowerCase() === 'sec-websocket-accept')
    const fields = answerFields(200, { headers, body: reply.body }, this.#method)
    this.began = true
    return this.#stream(fields, reply)
  }

  #stream (fields: string[], reply: Reply): Promise<void> {
    this.#reply = reply
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
      const body = endable(reply)!
      if (body instanceof EventStream) this.#events = body
      this.stream.send(fields, new AnswerSource(body, this.exchange))
    })
  }

  /** Ends what can be ended in good form. False when there is no such form. */
  finish (fault: Fault): boolean {
    if (this.isTunnel && this.began) this.body?.fail(fault)
    else if (this.#events === undefined) return false
    else this.#events.finish()
    return true
  }

  interim (status: number, headers: HeaderList | undefined): void {
    if (!this.began && this.#gone === undefined) this.stream.sendInterim(interimFields(status, headers?.raw() ?? []))
  }

  abort (): void {
    this.stream.reset(errorCode.internalError)
  }

  /** The client is gone, or has to go. Everything that waits for it, and everything later, gets the fault. */
  end (fault: Fault): void {
    if (this.#gone !== undefined) return
    this.#gone = fault
    this.body?.fail(fault)
    this.#reply?.body?.cancel(fault)
    const settle = this.#settle
    this.#settle = undefined
    settle?.reject(fault)
    this.ending.end(fault)
  }

  /** The exchange is over, whatever became of it. */
  finished (): void {
    this.body?.cancel()
    // A client that still sends is told that nobody needs it (RFC 9113 section 8.1).
    if (this.stream.localEnded && !this.stream.remoteEnded) this.stream.reset(errorCode.noError)
    this.stream.release()
    this.ending.end(exchangeOver)
  }
}

const wrongLength = 'a body of another length than was announced'

/** One object for all: an exchange that is over needs no stack trace. */
const exchangeOver = new Fault('CLIENT_GONE', 'the exchange is over')
