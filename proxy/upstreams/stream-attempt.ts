import { errorCode, type Broken, type Stream } from '../http2/index.ts'
import type { Body } from '../pipeline/body.ts'
import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { statusBehindGrpc } from '../pipeline/grpc.ts'
import { passInterim } from '../pipeline/interim.ts'
import { trailersOf } from '../pipeline/trailers.ts'
import { acceptOf, keyOf } from '../websocket/handshake.ts'
import { readAnswerFields, type AnswerHead } from './answer-fields.ts'
import { maxInterim } from './answer-reader.ts'
import { continueMs, timeoutOf, type AttemptSettings, type Watcher } from './attempt.ts'
import { lengthOnly } from './response-body.ts'
import { moreWindowBytes, widenedAfterBytes, type SharedLink, type SharedUser } from './shared-link.ts'
import { streamFault } from './stream-fault.ts'
import { StreamBody, type StreamBodySource } from './stream-body.ts'
import { StreamSource } from './stream-source.ts'
import { StreamTunnel } from './stream-tunnel.ts'

/** One exchange with one target on a stream of a shared connection, from its events to a `Reply`. */
export class StreamAttempt implements SharedUser, StreamBodySource, EndListener {
  readonly isTunnel = false
  /** The request, or part of it, may have reached the target. */
  begun = false
  /** Something of an answer came back. */
  answered = false
  /** The target surely did nothing about it, and all of the request is still there: it may be sent again, whatever it is. */
  refused = false
  /** The target surely did nothing about it; but part of it may be gone. */
  unprocessed = false
  readonly onUsedConnection: boolean
  readonly #x: Exchange
  readonly #link: SharedLink
  readonly #fields: readonly string[]
  readonly #settings: AttemptSettings
  readonly #watcher: Watcher
  readonly #ending: EndSignal
  readonly #source: StreamSource | undefined
  readonly #startedMs = performance.now()
  #stream: Stream | undefined = undefined
  #resolve: ((reply: Reply | Promise<Reply>) => void) | undefined = undefined
  #instead: ((error: Error) => Promise<Reply>) | undefined = undefined
  #head: AnswerHead | undefined = undefined
  #body: StreamBody | undefined = undefined
  #hasBody = false
  #received = 0
  #taken = 0
  #interims = 0
  /** What the clock watches, and until when. */
  #watched: keyof typeof timeoutOf = 'waiting for the response head'
  #dueMs = Infinity
  /** When all of it has to be over. */
  #endDueMs: number
  /** When the body is sent although the target has not asked for it; Infinity when it is on its way, or not wanted. */
  #continueDueMs = Infinity
  #over = false

  /** `fields`: of the request, as they go out. `link` has a place for it. `ending`: says when it is not wanted any more. */
  constructor (x: Exchange, link: SharedLink, fields: readonly string[], settings: AttemptSettings, watcher: Watcher, ending = x.ending) {
    this.#x = x
    this.#link = link
    this.#fields = fields
    this.#settings = settings
    this.#watcher = watcher
    this.#ending = ending
    this.#endDueMs = x.startedMs + settings.requestTimeoutMs
    this.onUsedConnection = link.served > 0
    const body = x.upgrade?.input ?? x.requestBody
    // Nothing of a tunnel comes before it was accepted.
    if (body !== undefined) this.#source = new StreamSource(body, x.upgrade !== undefined || body.expectsContinue === true)
  }

  /** Part of the request is still to come: what takes long may be the client. */
  get uploading (): boolean {
    return this.#stream?.localEnded === false
  }

  /** @param instead What becomes of the exchange when no answer comes of this: it gives the answer of somebody else, or rejects. */
  run (instead: (error: Error) => Promise<Reply>): Promise<Reply> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#instead = instead
      const ending = this.#ending
      if (ending.reason !== undefined) {
        this.#link.giveBack()
        return this.#fail(ending.reason)
      }
      ending.listen(this)
      if (this.#x.requestBody?.expectsContinue === true) this.#continueDueMs = this.#startedMs + continueMs
      if (this.#x.upgrade !== undefined) this.#watchForHead()
      const stream = this.#link.open(this, this.#fields, this.#source)
      if (stream === undefined) {
        this.refused = this.unprocessed = true
        return this.#fail(new Fault('UPSTREAM_RESET', 'the connection went away before the request was sent'))
      }
      this.#stream = stream
      this.begun = true
    })
  }

  onExchangeEnd (reason: Fault): void {
    // Somebody else has looked at the clock.
    if (reason.code === 'UPSTREAM_TIMEOUT') this.#link.doubt(this.#startedMs)
    this.#fail(reason)
  }

  cut (reason: Fault): void {
    this.#fail(reason)
  }

  tick (nowMs: number): void {
    const { writeTimeoutMs, requestTimeoutMs } = this.#settings
    if (nowMs >= this.#endDueMs) return this.#fail(new Fault('UPSTREAM_TIMEOUT', `the whole exchange took more than ${requestTimeoutMs} ms`))
    if (nowMs >= this.#continueDueMs) return this.#continue()
    // Once an answer has begun, the time of the target is its own.
    if (this.#resolve !== undefined && (this.#stream?.stalledSinceMs ?? Infinity) + writeTimeoutMs <= nowMs) {
      return this.#fail(new Fault('UPSTREAM_TIMEOUT', `sending the request body took more than ${writeTimeoutMs} ms`))
    }
    if (nowMs < this.#dueMs) return
    this.#link.doubt(this.#startedMs)
    this.#fail(new Fault('UPSTREAM_TIMEOUT', `${this.#watched} took more than ${this.#settings[timeoutOf[this.#watched].setting]} ms`))
  }

  // What the stream tells.

  head (fields: string[], ended: boolean): void {
    this.answered = true
    const head = readAnswerFields(fields)
    if (typeof head === 'string') return this.#malformed(head)
    const { status } = head
    if (status === 101) return this.#malformed('a switch of protocols, which HTTP/2 does not have')
    if (status >= 200) return this.#begin(head, ended)
    if (++this.#interims > maxInterim) return this.#malformed(`more than ${maxInterim} interim answers`)
    if (status === 100) this.#continue()
    else passInterim(this.#x, status, head.headers)
  }

  data (bytes: Buffer, ended: boolean): void {
    this.#received += bytes.length
    const length = this.#head?.length
    if (bytes.length > 0 && !this.#hasBody) return this.#malformed('a body where there is none')
    if (length !== undefined && this.#hasBody && this.#received > length) return this.#malformed(`a body of more than its ${length} bytes`)
    this.#dueMs = Infinity
    if (bytes.length > 0) this.#body?.push(bytes)
    if (ended) this.#end([])
  }

  trailers (fields: string[]): void {
    this.#end(fields)
  }

  sent (): void {
    if (this.#resolve !== undefined) this.#watchForHead()
  }

  failed (error: unknown): void {
    this.#fail(error instanceof Error ? error : new Error(String(error)))
  }

  broken (reason: Broken): void {
    const mayRepeat = reason.unprocessed || this.#link.mayChoose && reason.by === 'peer' && reason.code === errorCode.http11Required
    this.unprocessed = mayRepeat && !this.answered
    this.refused = this.unprocessed && this.#source?.touched !== true
    this.#fail(this.#link.reason ?? streamFault(reason))
  }

  // As the source of the answer's body.

  taken (bytes: number): void {
    this.#stream?.consumed(bytes)
    if (this.#taken < widenedAfterBytes && (this.#taken += bytes) >= widenedAfterBytes) this.#stream?.widen(moreWindowBytes)
  }

  awaited (): void {
    this.#watched = 'waiting for a piece of the body'
    this.#dueMs = performance.now() + this.#settings.readTimeoutMs
  }

  stop (reason: Fault | undefined): void {
    this.#fail(reason ?? new Fault('CLIENT_GONE', 'the answer was not wanted'))
  }

  /** The target wants the body, or does not know how to say so. */
  #continue (): void {
    if (this.#continueDueMs === Infinity) return
    this.#continueDueMs = Infinity
    this.#source?.release()
  }

  #watchForHead (): void {
    this.#dueMs = performance.now() + this.#settings.firstByteTimeoutMs
  }

  #begin (head: AnswerHead, ended: boolean): void {
    const { status, headers, length = 0 } = head
    const x = this.#x
    this.#dueMs = this.#continueDueMs = Infinity
    x.askedMs = this.#startedMs
    x.upstreamMs = performance.now() - this.#startedMs
    const isTunnel = x.upgrade !== undefined && status < 300
    const hasBody = x.request.method !== 'HEAD' && status !== 204 && status !== 304
    if (ended && hasBody && length > 0 && !isTunnel) return this.#malformed(`no body where ${length} bytes were announced`)
    this.#watcher.answered(ended ? statusBehindGrpc(status, headers) : status, x.upstreamMs)
    if (isTunnel) return this.#becomeTunnel(head, ended)
    this.#head = head
    this.#hasBody = hasBody
    let body: Body | undefined
    if (hasBody && !ended) body = this.#body = new StreamBody(head.length, this, x.request.version !== '2')
    // The answer to HEAD tells the length the body would have; 304 likewise.
    else if (!hasBody && length > 0 && status !== 204) body = lengthOnly(length)
    this.#resolve?.({ status, headers, body })
    this.#resolve = this.#instead = undefined
    if (ended) this.#complete([])
    else if (!hasBody) this.awaited()
  }

  #end (trailers: readonly string[]): void {
    const length = this.#head?.length
    if (this.#hasBody && length !== undefined && this.#received < length) return this.#malformed(`a body of ${this.#received} instead of ${length} bytes`)
    this.#complete(trailers)
  }

  /** The answer is whole. */
  #complete (trailers: readonly string[]): void {
    if (this.#over) return
    this.#finish()
    // An answer before the end of the request: the rest is not wanted.
    if (this.#stream?.localEnded === false) this.#x.requestBody?.cancel()
    this.#leave(true)
    this.#watcher.over(false)
    this.#body?.end(trailersOf(trailers))
  }

  /** RFC 8441 section 5: what HTTP/1.1 calls a switch of protocols. */
  #becomeTunnel ({ headers }: AnswerHead, ended: boolean): void {
    const stream = this.#stream!
    const key = keyOf(this.#x.request.headers)
    this.#finish()
    const tunnel = new StreamTunnel(this.#x, this.#link, stream, this.#settings.writeTimeoutMs, this.#watcher)
    this.#link.replaced(this, tunnel)
    // The proof that a client of HTTP/1.1 wants to see.
    if (key !== undefined) headers.set('Sec-WebSocket-Accept', acceptOf(key))
    this.#resolve?.({ status: 101, headers, body: tunnel.body })
    this.#resolve = this.#instead = undefined
    tunnel.begin(ended)
    this.#source?.release()
  }

  #malformed (detail: string): void {
    if (this.#over) return
    this.#stream?.blame(errorCode.protocolError, detail)
    this.#fail(new Fault('UPSTREAM_PROTOCOL', detail))
  }

  #finish (): void {
    this.#over = true
    this.#dueMs = this.#endDueMs = this.#continueDueMs = Infinity
    this.#ending.ignore(this)
  }

  #leave (whole: boolean): void {
    this.#stream?.release()
    this.#link.finished(this, whole)
  }

  /** Ends it with an error for whoever waits: the caller before the head, the reader of the body after it. */
  #fail (error: Error): void {
    if (this.#over) return
    this.#finish()
    this.#leave(false)
    const instead = this.#instead
    const fault = error instanceof Fault ? error : undefined
    // A connection that was closed at the moment of its next use says nothing about the target.
    const stale = fault?.code === 'UPSTREAM_RESET' && this.onUsedConnection && !this.answered
    if (instead !== undefined) {
      this.#x.askedMs = this.#startedMs
      this.#watcher.failed(stale ? undefined : fault, performance.now() - this.#startedMs)
    }
    else if (this.#head !== undefined && fault !== undefined) this.#watcher.broke(this.#head.status, fault)
    this.#watcher.over(false)
    // Not at once: the connection is in the middle of telling that it is gone.
    if (instead !== undefined) this.#resolve?.(Promise.resolve(error).then(instead))
    this.#resolve = this.#instead = undefined
    this.#body?.fail(error)
  }
}
