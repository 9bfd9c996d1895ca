import type { Source } from '../http2/index.ts'
import type { Body } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'

/** A body of the pipeline on its way to a stream: held to what it says about its length, and held back until the target wants it. */
export class StreamSource implements Source {
  /** Something of it was asked for: what follows cannot be said twice. */
  touched = false
  readonly length: number | undefined
  readonly #body: Body
  #bytes = 0
  /** Called when the target wants it; `undefined` when it does, or nobody has to say so. */
  #open: (() => void) | undefined = undefined
  #gate: Promise<void> | undefined = undefined

  constructor (body: Body, heldBack: boolean) {
    this.#body = body
    this.length = body.length
    if (heldBack) this.#gate = new Promise((resolve) => { this.#open = resolve })
  }

  get trailers (): Body['trailers'] {
    return this.#body.trailers
  }

  /** Lets the stream have it. */
  release (): void {
    this.#open?.()
    this.#gate = this.#open = undefined
  }

  read (): Buffer | undefined | Promise<Buffer | undefined> {
    return this.#gate === undefined ? this.#read() : this.#gate.then(() => this.#read())
  }

  #read (): Buffer | undefined | Promise<Buffer | undefined> {
    this.touched = true
    const next = this.#body.read()
    return next instanceof Promise ? next.then((chunk) => this.#counted(chunk)) : this.#counted(next)
  }

  #counted (chunk: Buffer | undefined): Buffer | undefined {
    const { length } = this
    this.#bytes += chunk?.length ?? 0
    if (length === undefined) return chunk
    if (this.#bytes > length) throw new Fault('INTERNAL', `a request body longer than its ${length} bytes`)
    if (chunk === undefined && this.#bytes < length) throw new Fault('INTERNAL', `a request body of ${this.#bytes} instead of ${length} bytes`)
    return chunk
  }
}
