import { type Broken, type Stream } from '../http2/index.ts'
import type { EndListener } from '../pipeline/end-signal.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import type { Watcher } from './attempt.ts'
import type { SharedLink, SharedUser } from './shared-link.ts'
import { StreamBody, type StreamBodySource } from './stream-body.ts'
import { streamFault } from './stream-fault.ts'
import { lingerMs } from './tunnel.ts'

/** A stream that a target made a tunnel (RFC 8441): bytes both ways until both sides have ended. */
export class StreamTunnel implements SharedUser, StreamBodySource, EndListener {
  readonly isTunnel = true
  readonly body: StreamBody
  readonly #x: Exchange
  readonly #link: SharedLink
  readonly #stream: Stream
  readonly #writeTimeoutMs: number
  readonly #watcher: Watcher
  #lingerDueMs = Infinity
  #heard = false
  #said = false
  #over = false

  constructor (x: Exchange, link: SharedLink, stream: Stream, writeTimeoutMs: number, watcher: Watcher) {
    this.#x = x
    this.#link = link
    this.#stream = stream
    this.#writeTimeoutMs = writeTimeoutMs
    this.#watcher = watcher
    this.body = new StreamBody(undefined, this, false)
  }

  /** `ended`: the target has nothing to say. */
  begin (ended: boolean): void {
    this.#watcher.tunnelled()
    this.#x.ending.listen(this)
    this.#stream.user = this
    if (ended) this.#end()
  }

  onExchangeEnd (reason: Fault): void {
    this.#fail(reason)
  }

  cut (reason: Fault): void {
    this.#fail(reason)
  }

  tick (nowMs: number): void {
    if (this.#stream.stalledSinceMs + this.#writeTimeoutMs <= nowMs) this.#fail(new Fault('UPSTREAM_TIMEOUT', `the target took nothing for more than ${this.#writeTimeoutMs} ms`))
    else if (nowMs >= this.#lingerDueMs) this.#finish()
  }

  // What the stream tells.

  head (): void { /* the one there is has come */ }

  data (bytes: Buffer, ended: boolean): void {
    if (this.#lingerDueMs === Infinity && bytes.length > 0) this.body.push(bytes)
    if (ended) this.#end()
  }

  trailers (): void {
    this.#end()
  }

  sent (): void {
    this.#said = true
    this.#maybeOver()
  }

  failed (error: unknown): void {
    this.#fail(error instanceof Error ? error : new Error(String(error)))
  }

  broken (reason: Broken): void {
    this.#fail(this.#link.reason ?? streamFault(reason))
  }

  // As the source of what the target says. Silence is no fault of a tunnel.

  taken (bytes: number): void {
    this.#stream.consumed(bytes)
  }

  awaited (): void { /* whoever minds watches both directions */ }

  stop (reason: Fault | undefined): void {
    if (reason !== undefined) return this.#fail(reason)
    this.#lingerDueMs = performance.now() + lingerMs
    this.#stream.discard()
    this.#maybeOver()
  }

  #end (): void {
    this.#heard = true
    this.body.end(undefined)
    this.#maybeOver()
  }

  #maybeOver (): void {
    if (this.#said && this.#heard) this.#finish()
  }

  #finish (): void {
    if (this.#over) return
    this.#leave()
    this.#x.upgrade?.input.cancel()
  }

  #leave (): void {
    this.#over = true
    this.#watcher.over(true)
    this.#x.ending.ignore(this)
    this.#stream.release()
    this.#link.finished(this, true)
  }

  #fail (error: Error): void {
    if (this.#over) return
    this.#leave()
    this.body.fail(error)
    this.#x.upgrade?.input.cancel(error instanceof Fault ? error : undefined)
  }
}
