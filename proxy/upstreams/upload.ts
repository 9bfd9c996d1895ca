import { lastChunk, writePiece, type Outlet } from '../http1/write.ts'
import type { Body } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'

export interface UploadEvents {
  /** The connection is full: the target is waited for. */
  full (): void
  /** There is room; from here on the client is waited for. */
  room (): void
  /** The last byte was handed over. */
  uploaded (): void
  /** The body broke off, or a stage of it refused the exchange. */
  failed (error: Error): void
}

/** Larger pieces are cut, so that the clock sees progress on a slow connection. */
const pieceBytes = 64 * 1024

/** Sends the body of a request, as fast as the connection takes it. */
export class Upload {
  /** All bytes were handed over. */
  complete = false
  readonly #body: Body
  readonly #outlet: Outlet
  readonly #events: UploadEvents
  #stopped = false
  #wake: (() => void) | undefined = undefined

  constructor (body: Body, outlet: Outlet, events: UploadEvents) {
    this.#body = body
    this.#outlet = outlet
    this.#events = events
  }

  /** Sends `head`, then the body. Never rejects: see `UploadEvents`. */
  async run (head: string): Promise<void> {
    try {
      await this.#pump(head)
    } catch (error) {
      if (!this.#stopped) this.#events.failed(error instanceof Error ? error : new Error(String(error)))
    }
  }

  /** The connection has room again. */
  drained (): void {
    this.#wake?.()
  }

  /** Nobody takes more. The mark of a complete body is not written any more. */
  stop (): void {
    this.#stopped = true
    this.#wake?.()
  }

  async #pump (head: string): Promise<void> {
    const expected = this.#body.length
    let bytes = 0
    let unsent = head
    for (;;) {
      const next = this.#body.read()
      if (unsent !== '' && next instanceof Promise) {
        // The client may be waiting for the answer to its head.
        this.#outlet.write(unsent, 'latin1')
        unsent = ''
      }
      const chunk = next instanceof Promise ? await next : next
      if (this.#stopped) return
      if (chunk === undefined) break
      bytes += chunk.length
      if (expected !== undefined && bytes > expected) throw new Fault('INTERNAL', `a request body longer than its ${expected} bytes`)
      for (let at = 0; at < chunk.length; at += pieceBytes) {
        const piece = chunk.length <= pieceBytes ? chunk : chunk.subarray(at, at + pieceBytes)
        const ready = writePiece(this.#outlet, piece, unsent, expected === undefined)
        unsent = ''
        if (!ready) await this.#taken()
        if (this.#stopped) return
      }
    }
    if (expected !== undefined && bytes < expected) throw new Fault('INTERNAL', `a request body of ${bytes} instead of ${expected} bytes`)
    const last = expected === undefined ? unsent + lastChunk(this.#body.trailers?.raw() ?? []) : unsent
    if (last !== '') this.#outlet.write(last, 'latin1')
    this.complete = true
    this.#events.uploaded()
  }

  #taken (): Promise<void> {
    this.#events.full()
    return new Promise((resolve) => {
      this.#wake = () => {
        this.#wake = undefined
        this.#events.room()
        resolve()
      }
    })
  }
}
