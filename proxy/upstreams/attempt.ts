import type { Dispatcher } from 'undici'
import type { Body } from '../pipeline/body.ts'
import type { Exchange, Reply } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import { trailersOf } from '../pipeline/trailers.ts'
import type { Link } from './connections.ts'
import { connectFault, exchangeFault } from './fault-of-error.ts'
import { lengthOnly, ResponseBody, type Source } from './response-body.ts'
import { readResponseHead } from './response-head.ts'
import { Upload, type UploadEvents } from './upload.ts'

export interface AttemptSettings {
  readonly secure: boolean
  readonly connectTimeoutMs: number
  /** Longest wait for the head once the request is out, and for each piece of the body. */
  readonly readTimeoutMs: number
  /** Longest wait for the target to take a piece of the request body. */
  readonly writeTimeoutMs: number
}

/**
 * One exchange with one target, from undici's callbacks to a `Reply`.
 *
 * The callbacks are undici's older set: the newer one parses every head into an object that nobody here wants.
 */
export class Attempt implements Dispatcher.DispatchHandler, Source, UploadEvents {
  /** The request, or part of it, may have reached the target. */
  sent = false
  /** A byte of an answer came back. */
  answered = false
  readonly #x: Exchange
  readonly #link: Link
  readonly #settings: AttemptSettings
  readonly #startedMs = performance.now()
  #resolve: ((reply: Reply) => void) | undefined = undefined
  #reject: ((error: Error) => void) | undefined = undefined
  #upload: Upload | undefined = undefined
  #body: ResponseBody | undefined = undefined
  #resume: (() => void) | undefined = undefined
  #timer: NodeJS.Timeout | undefined = undefined
  #over = false

  constructor (x: Exchange, link: Link, settings: AttemptSettings) {
    this.#x = x
    this.#link = link
    this.#settings = settings
  }

  /** The connection had served others before: its target may have closed it while the request was on its way. */
  get onUsedConnection (): boolean {
    return this.#link.served > 0
  }

  run (): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      const { ending, request, requestBody } = this.#x
      if (ending.reason !== undefined) return this.#fail(ending.reason)
      ending.listen(this)
      if (!this.#link.connected) this.#watch(this.#settings.connectTimeoutMs, 'UPSTREAM_CONNECT', 'connecting')
      if (requestBody !== undefined) this.#upload = new Upload(requestBody, this)
      this.#link.dispatch({
        method: request.method,
        path: request.query === '' ? request.upstreamPath : `${request.upstreamPath}?${request.query}`,
        headers: requestFields(request.headers, requestBody),
        // Undici takes any iterable; its type knows only streams.
        body: this.#upload as unknown as null ?? null,
        // @ts-expect-error undici reads it (TLS name; the connection is dialled anew when it changes) but does not declare it
        servername: this.#link.servername,
      }, this)
    })
  }

  onExchangeEnd (reason: Fault): void {
    this.#fail(reason)
  }

  onConnect (): void {
    // Given up while it was dialling: thrown, undici drops the request and keeps the connection.
    if (this.#over) throw new Error('given up')
    this.sent = true
    if (this.#upload === undefined) this.#watchForHead()
    else this.#unwatch()
  }

  onResponseStarted (): void {
    this.answered = true
  }

  onHeaders (status: number, raw: Buffer[], resume: () => void): boolean {
    // Interim answers end here: 100 is between the proxy and the target, early hints are not passed on yet.
    if (this.#over || status < 200) return true
    this.#unwatch()
    const head = readResponseHead(raw)
    if (typeof head === 'string') {
      this.#fail(new Fault('UPSTREAM_PROTOCOL', head))
      return false
    }
    this.#resume = resume
    this.#x.upstreamMs = performance.now() - this.#startedMs
    this.#resolve?.({ status, headers: head.headers, body: this.#bodyFor(status, head.length) })
    this.#resolve = this.#reject = undefined
    return true
  }

  onData (chunk: Buffer): boolean {
    if (this.#over) return true
    this.#unwatch()
    return this.#body?.push(chunk) ?? true
  }

  onComplete (trailers: unknown): void {
    if (this.#over) return
    this.#finish()
    if (this.#upload?.complete === false) {
      // An answer before the end of the request: the rest is not wanted, and the connection is of no use.
      this.#upload.stop()
      this.#x.requestBody?.cancel()
      this.#link.destroy()
    } else {
      this.#link.release()
    }
    this.#body?.end(readTrailers(trailers))
  }

  onError (error: Error): void {
    if (this.#over) return
    this.#fail(this.sent ? exchangeFault(error, this.#resolve === undefined) : connectFault(error, this.#settings.secure))
  }

  // As the source of the answer's body.

  resume (): void {
    this.#resume?.()
  }

  awaited (): void {
    this.#watch(this.#settings.readTimeoutMs, 'UPSTREAM_TIMEOUT', 'waiting for a piece of the body')
  }

  stop (reason: Fault | undefined): void {
    this.#fail(reason ?? new Fault('CLIENT_GONE', 'the answer was not wanted'))
  }

  // As the receiver of the request's body.

  asked (): void {
    if (this.#body === undefined) this.#unwatch()
  }

  handedOver (): void {
    if (this.#resolve !== undefined) this.#watch(this.#settings.writeTimeoutMs, 'UPSTREAM_TIMEOUT', 'sending the request body')
  }

  ended (): void {
    if (this.#resolve !== undefined) this.#watchForHead()
  }

  failed (error: Error): void {
    this.#fail(error)
  }

  #bodyFor (status: number, length: number | undefined): Body | undefined {
    if (status === 204) return undefined
    if (this.#x.request.method === 'HEAD' || status === 304) return length === undefined ? undefined : lengthOnly(length)
    return length === 0 ? undefined : this.#body = new ResponseBody(length, this)
  }

  #watchForHead (): void {
    this.#watch(this.#settings.readTimeoutMs, 'UPSTREAM_TIMEOUT', 'waiting for the response head')
  }

  #watch (ms: number, code: 'UPSTREAM_CONNECT' | 'UPSTREAM_TIMEOUT', what: string): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#fail(new Fault(code, `${what} took more than ${ms} ms`)), ms)
  }

  #unwatch (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #finish (): void {
    this.#over = true
    this.#unwatch()
    this.#x.ending.ignore(this)
  }

  /** Ends it with an error for whoever waits: the caller before the head, the reader of the body after it. */
  #fail (error: Error): void {
    if (this.#over) return
    this.#finish()
    this.#upload?.stop()
    this.#link.destroy(error)
    this.#reject?.(error)
    this.#resolve = this.#reject = undefined
    this.#body?.fail(error)
  }
}

/** Fields that undici refuses to take, or that would contradict how it frames the message. */
const notSent: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'expect', 'content-length'])

function requestFields (headers: HeaderList, body: Body | undefined): string[] {
  const fields = headers.raw().slice()
  let kept = 0
  for (let i = 0; i < fields.length; i += 2) {
    const { length } = fields[i]!
    if ((length === 6 || length === 7 || length === 10 || length === 14 || length === 17) && notSent.has(fields[i]!.toLowerCase())) continue
    fields[kept++] = fields[i]!
    fields[kept++] = fields[i + 1]!
  }
  fields.length = kept
  if (body?.length !== undefined) fields.push('Content-Length', String(body.length))
  return fields
}

function readTrailers (raw: unknown): HeaderList | undefined {
  // Undici gives the same flat list of buffers as for the head, whatever its type says.
  const list = raw as Buffer[] | null
  if (list === null || list.length === 0) return undefined
  const read = readResponseHead(list)
  return typeof read === 'string' ? undefined : trailersOf(read.headers.raw())
}
