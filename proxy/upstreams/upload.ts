import type { Body } from '../pipeline/body.ts'

export interface UploadEvents {
  /** A chunk was handed over, and the connection has not asked for the next one yet. */
  handedOver (): void
  /** The connection can take more; from here on the client is waited for. */
  asked (): void
  /** The last byte was handed over. */
  ended (): void
  /** The body broke off, or a stage of it refused the exchange. */
  failed (error: Error): void
}

/** The request body as undici takes it: it asks for the next chunk when the socket has drained. */
export class Upload implements AsyncIterableIterator<Buffer> {
  /** All bytes were handed over. */
  complete = false
  readonly #body: Body
  readonly #events: UploadEvents
  #stopped: Error | undefined = undefined
  #reject: ((error: Error) => void) | undefined = undefined

  constructor (body: Body, events: UploadEvents) {
    this.#body = body
    this.#events = events
  }

  [Symbol.asyncIterator] (): this {
    return this
  }

  next (): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#stopped !== undefined) return Promise.reject(this.#stopped)
    this.#events.asked()
    let next
    try {
      next = this.#body.read()
    } catch (error) {
      // Not now: undici asks for the first chunk while it puts the request on its list, and a connection that is destroyed in the
      // middle of that breaks an assertion of its own, which would end the process.
      return Promise.resolve().then(() => { throw this.#fail(error) })
    }
    if (!(next instanceof Promise)) return Promise.resolve(this.#give(next))
    // The body may be silent for long: `stop` must not wait for it.
    return new Promise((resolve, reject) => {
      this.#reject = reject
      next.then((chunk) => resolve(this.#give(chunk)), (error: unknown) => reject(this.#fail(error)))
    })
  }

  /** Undici calls this when it gives up in the middle. */
  return (): Promise<IteratorResult<Buffer, undefined>> {
    return Promise.resolve({ done: true, value: undefined })
  }

  /** Nobody takes more. A rejection, never an end: undici must not write the mark of a complete body. */
  stop (): void {
    if (this.complete || this.#stopped !== undefined) return
    this.#stopped = new Error('upload stopped')
    this.#reject?.(this.#stopped)
  }

  #give (chunk: Buffer | undefined): IteratorResult<Buffer, undefined> {
    this.#reject = undefined
    if (this.#stopped !== undefined) return { done: true, value: undefined }
    if (chunk !== undefined) {
      this.#events.handedOver()
      return { done: false, value: chunk }
    }
    this.complete = true
    this.#events.ended()
    return { done: true, value: undefined }
  }

  #fail (error: unknown): Error {
    const failure = error instanceof Error ? error : new Error(String(error))
    if (this.#stopped === undefined) this.#events.failed(failure)
    return failure
  }
}
