import { Malformed } from '../http1/fields.ts'
import type { Body } from '../pipeline/body.ts'
import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { passInterim } from '../pipeline/interim.ts'
import { trailersOf } from '../pipeline/trailers.ts'
import { AnswerReader, type AnswerEvents } from './answer-reader.ts'
import { tellConnecting } from './connecting-times.ts'
import { connectFault, exchangeFault } from './fault-of-error.ts'
import type { Link, LinkUser } from './link.ts'
import { lengthOnly, ResponseBody, type Source } from './response-body.ts'
import type { ResponseHead } from './response-head.ts'
import { acceptOf, keyOf, lists } from '../websocket/handshake.ts'
import { Tunnel } from './tunnel.ts'
import { Upload, type UploadEvents } from './upload.ts'

export interface Timeouts {
  readonly connectTimeoutMs: number
  /** Longest wait for the head of the answer once the request is out. */
  readonly firstByteTimeoutMs: number
  /** Longest wait for each piece of its body. */
  readonly readTimeoutMs: number
  /** Longest wait for the target to take a piece of the request body. */
  readonly writeTimeoutMs: number
  /** From the head of the request to the end of the answer; Infinity: no such limit. */
  readonly requestTimeoutMs: number
}

export interface AttemptSettings extends Timeouts {
  readonly secure: boolean
}

/** Who is told how a try goes: either `answered` or `failed`, and `over` in the end. Milliseconds count from the beginning of the try. */
export interface Watcher {
  /** The head of an answer is there. */
  answered (status: number, ms: number): void
  /** There will be none. Without a fault the try was given up for a reason that says nothing about the target. */
  failed (fault: Fault | undefined, ms: number): void
  /** An answer that had begun will not be whole. */
  broke (status: number, fault: Fault): void
  /** It is a tunnel from here on. */
  tunnelled (): void
  /** The target has no part in the exchange any more. */
  over (tunnel: boolean): void
}

/** How long a target may think about an expectation: not all of them know what it is (RFC 9110 section 10.1.1). */
export const continueMs = 1_000

/** What the clock watches: what it is when time is up, and which setting says so. */
export const timeoutOf = {
  'connecting': { code: 'UPSTREAM_CONNECT', setting: 'connectTimeoutMs' },
  'waiting for the response head': { code: 'UPSTREAM_TIMEOUT', setting: 'firstByteTimeoutMs' },
  'waiting for a piece of the body': { code: 'UPSTREAM_TIMEOUT', setting: 'readTimeoutMs' },
} as const

/** One exchange with one target, from the events of a connection to a `Reply`. */
export class Attempt implements LinkUser, AnswerEvents, Source, UploadEvents, EndListener {
  /** The request, or part of it, may have reached the target. */
  begun = false
  /** It may be sent again whatever it is: a target that speaks HTTP/1.1 has no way to say so. */
  readonly refused = false
  readonly unprocessed = false
  /** A byte of an answer came back. */
  answered = false
  readonly #x: Exchange
  readonly #link: Link
  readonly #head: string
  readonly #settings: AttemptSettings
  readonly #watcher: Watcher
  readonly #ending: EndSignal
  readonly #reader: AnswerReader
  readonly #startedMs = performance.now()
  #resolve: ((reply: Reply | Promise<Reply>) => void) | undefined = undefined
  #instead: ((error: Error) => Promise<Reply>) | undefined = undefined
  #upload: Upload | undefined = undefined
  #body: ResponseBody | undefined = undefined
  #tunnel: Tunnel | undefined = undefined
  /** What the clock watches, and until when. */
  #watched: keyof typeof timeoutOf = 'connecting'
  #dueMs = Infinity
  #writeDueMs = Infinity
  /** When all of it has to be over. */
  #endDueMs: number
  /** When the bytes came that are being read, while the head is awaited; else 0. */
  #heardMs = 0
  /** When the body is sent although the target has not asked for it; Infinity when it is on its way, or not wanted. */
  #continueDueMs = Infinity
  /** Of the answer, once its head is there. */
  #status = 0
  #over = false

  /** `head`: of the request, as it goes out. `ending`: says when it is not wanted any more. */
  constructor (x: Exchange, link: Link, head: string, settings: AttemptSettings, watcher: Watcher, ending = x.ending) {
    this.#x = x
    this.#link = link
    this.#head = head
    this.#settings = settings
    this.#watcher = watcher
    this.#ending = ending
    this.#endDueMs = x.startedMs + settings.requestTimeoutMs
    this.#reader = new AnswerReader(x.request.method, this)
  }

  /** The connection had served others before: its target may have closed it while the request was on its way. */
  get onUsedConnection (): boolean {
    return this.#link.served > 0
  }

  /** Part of the request is still to come: what takes long may be the client. */
  get uploading (): boolean {
    return this.#upload?.complete === false
  }

  /** @param instead What becomes of the exchange when no answer comes of this: it gives the answer of somebody else, or rejects. */
  run (instead: (error: Error) => Promise<Reply>): Promise<Reply> {
    return new Promise((resolve) => {
      this.#resolve = resolve
      this.#instead = instead
      const ending = this.#ending
      if (ending.reason !== undefined) return this.#fail(ending.reason)
      ending.listen(this)
      if (!this.#link.connected) this.#dueMs = this.#startedMs + this.#settings.connectTimeoutMs
      this.#link.open(this)
    })
  }

  onExchangeEnd (reason: Fault): void {
    this.#fail(reason)
  }

  // As the user of the connection.

  connected (): void {
    this.begun = true
    this.#dueMs = Infinity
    if (this.#link.dialledMs >= this.#startedMs) tellConnecting(this.#x, this.#link)
    const { requestBody } = this.#x
    if (requestBody === undefined) {
      this.#link.write(this.#head, 'latin1')
      // On a connection that was there before, no time has passed.
      this.#watchForHead(this.onUsedConnection ? this.#startedMs : performance.now())
      return
    }
    const upload = this.#upload = new Upload(requestBody, this.#link, this)
    if (requestBody.expectsContinue !== true) return void upload.run(this.#head)
    this.#link.write(this.#head, 'latin1')
    this.#continueDueMs = performance.now() + continueMs
  }

  received (bytes: Buffer): void {
    this.answered = true
    this.#heardMs = this.#resolve === undefined ? 0 : performance.now()
    const end = this.#reader.push(bytes)
    if (this.#tunnel !== undefined && typeof end === 'number') return this.#becomeTunnel(this.#tunnel, bytes.subarray(end))
    if (this.#over) return
    if (end instanceof Malformed) this.#fail(new Fault('UPSTREAM_PROTOCOL', end.detail))
    else if (this.#reader.complete) this.#complete(end === bytes.length)
  }

  drained (): void {
    this.#upload?.drained()
  }

  ended (): void {
    if (this.#reader.end()) this.#complete(false)
    else this.broken(Object.assign(new Error('the other side closed the connection'), { code: 'ECONNRESET' }))
  }

  broken (error: Error): void {
    this.#fail(this.begun ? exchangeFault(error) : connectFault(error, this.#settings.secure))
  }

  tick (nowMs: number): void {
    const { writeTimeoutMs, requestTimeoutMs } = this.#settings
    if (nowMs >= this.#endDueMs) return this.#fail(new Fault('UPSTREAM_TIMEOUT', `the whole exchange took more than ${requestTimeoutMs} ms`))
    if (nowMs >= this.#continueDueMs) return this.#continue()
    if (nowMs >= this.#writeDueMs) return this.#fail(new Fault('UPSTREAM_TIMEOUT', `sending the request body took more than ${writeTimeoutMs} ms`))
    if (nowMs < this.#dueMs) return
    const { code, setting } = timeoutOf[this.#watched]
    this.#fail(new Fault(code, `${this.#watched} took more than ${this.#settings[setting]} ms`))
  }

  // As the reader of the answer.

  interim (status: number, headers: HeaderList): void {
    if (status === 100) this.#continue()
    else passInterim(this.#x, status, headers)
  }

  /** Taken only when it is the proof of this very question (RFC 6455 section 4.1): anybody can repeat an answer. */
  switched ({ headers, upgrade }: ResponseHead): string | undefined {
    if (this.#x.upgrade === undefined) return 'a switch of protocols that nobody asked for'
    if (!lists(upgrade, this.#x.upgrade.protocol)) return 'a switch to another protocol than was asked for'
    const key = keyOf(this.#x.request.headers)
    if (key === undefined || headers.get('sec-websocket-accept') !== acceptOf(key)) return 'a switch of protocols whose Sec-WebSocket-Accept is not the one for this request'
    this.#x.askedMs = this.#startedMs
    this.#x.upstreamMs = this.#heardMs - this.#startedMs
    this.#tunnel = new Tunnel(this.#x, this.#link, this.#settings.writeTimeoutMs, this.#watcher)
    this.#watcher.answered(101, this.#x.upstreamMs)
    this.#resolve?.({ status: 101, headers, body: this.#tunnel.body })
    this.#resolve = this.#instead = undefined
    return undefined
  }

  head (status: number, { headers, length }: ResponseHead, hasBody: boolean): void {
    this.#dueMs = this.#writeDueMs = this.#continueDueMs = Infinity
    this.#x.askedMs = this.#startedMs
    this.#x.upstreamMs = this.#heardMs - this.#startedMs
    this.#status = status
    this.#watcher.answered(status, this.#x.upstreamMs)
    let body: Body | undefined
    if (hasBody) body = this.#body = new ResponseBody(length, this)
    // The answer to HEAD tells the length the body would have; 304 likewise.
    else if (length !== undefined && length > 0 && status !== 204) body = lengthOnly(length)
    this.#resolve?.({ status, headers, body })
    this.#resolve = this.#instead = undefined
  }

  piece (bytes: Buffer): void {
    this.#dueMs = Infinity
    if (this.#body?.push(bytes) === false) this.#link.flow(false)
  }

  // As the source of the answer's body.

  resume (): void {
    // Later the connection belongs to another exchange.
    if (!this.#over) this.#link.flow(true)
  }

  keep (): boolean {
    return this.#link.keep()
  }

  awaited (): void {
    this.#watched = 'waiting for a piece of the body'
    this.#dueMs = performance.now() + this.#settings.readTimeoutMs
  }

  stop (reason: Fault | undefined): void {
    this.#fail(reason ?? new Fault('CLIENT_GONE', 'the answer was not wanted'))
  }

  // As the watcher of the upload. Once an answer has begun, the time of the target is its own.

  full (): void {
    if (this.#resolve !== undefined) this.#writeDueMs = performance.now() + this.#settings.writeTimeoutMs
  }

  room (): void {
    this.#writeDueMs = Infinity
  }

  uploaded (): void {
    if (this.#resolve !== undefined) this.#watchForHead(performance.now())
  }

  failed (error: Error): void {
    this.#fail(error)
  }

  /** The target wants the body, or does not know how to say so. */
  #continue (): void {
    if (this.#continueDueMs === Infinity) return
    this.#continueDueMs = Infinity
    void this.#upload?.run('')
  }

  #watchForHead (nowMs: number): void {
    this.#watched = 'waiting for the response head'
    this.#dueMs = nowMs + this.#settings.firstByteTimeoutMs
  }

  /** The answer is whole. `clean`: nothing came behind it. */
  #complete (clean: boolean): void {
    this.#finish()
    this.#watcher.over(false)
    const { keepAliveMs, persistent, trailers } = this.#reader
    const requestOut = this.#upload?.complete !== false && this.#link.flushed
    if (!requestOut) {
      // An answer before the end of the request: the rest is not wanted, and the connection is of no use.
      this.#upload?.stop()
      this.#x.requestBody?.cancel()
    }
    if (clean && requestOut && persistent) this.#link.release(this.#heardMs === 0 ? performance.now() : this.#heardMs, keepAliveMs)
    else this.#link.destroy()
    this.#body?.end(trailersOf(trailers))
  }

  /** `early`: what the target said right behind its answer. */
  #becomeTunnel (tunnel: Tunnel, early: Buffer): void {
    this.#finish()
    tunnel.begin()
    if (early.length > 0) tunnel.received(early)
  }

  #finish (): void {
    this.#over = true
    this.#dueMs = this.#writeDueMs = this.#endDueMs = this.#continueDueMs = Infinity
    this.#ending.ignore(this)
  }

  /** Ends it with an error for whoever waits: the caller before the head, the reader of the body after it. */
  #fail (error: Error): void {
    if (this.#over) return
    this.#finish()
    this.#upload?.stop()
    this.#link.destroy()
    const instead = this.#instead
    const fault = error instanceof Fault ? error : undefined
    // A connection that was closed at the moment of its next use says nothing about the target.
    const stale = fault?.code === 'UPSTREAM_RESET' && this.onUsedConnection && !this.answered
    if (instead !== undefined) {
      const tookMs = performance.now() - this.#startedMs
      this.#x.askedMs = this.#startedMs
      if (!this.begun) this.#x.connectMs = tookMs
      this.#watcher.failed(stale ? undefined : fault, tookMs)
    }
    else if (this.#status > 0 && fault !== undefined) this.#watcher.broke(this.#status, fault)
    this.#watcher.over(false)
    // Not at once: the connection is in the middle of telling that it is gone.
    if (instead !== undefined) this.#resolve?.(Promise.resolve(error).then(instead))
    this.#resolve = this.#instead = undefined
    this.#body?.fail(error)
  }
}
