import type { Body, MaybePromise } from '../pipeline/body.ts'
import type { Reply } from '../pipeline/exchange.ts'
import type { Fault } from '../pipeline/faults.ts'

const lineFeed = 10
const carriageReturn = 13

interface Reader {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (error: unknown) => void
}

/**
 * A stream of events on its way to a client. It can be ended between two of them: a client that has seen the end of a body connects anew, and has lost
 * nothing; one that is cut in the middle of an event throws it away.
 */
export class EventStream implements Body {
  readonly length: number | undefined
  readonly #source: Body
  #reader: Reader | undefined = undefined
  /** What has passed ends with an empty line. */
  #atBorder = true
  #ending = false

  constructor (source: Body) {
    this.#source = source
    this.length = source.length
  }

  get trailers (): Body['trailers'] {
    return this.#source.trailers
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#ending && this.#atBorder) return this.#end()
    const next = this.#source.read()
    if (!(next instanceof Promise)) return this.#passed(next)
    return new Promise((resolve, reject) => {
      this.#reader = { resolve, reject }
      next.then((chunk) => this.#arrived(chunk), (error: unknown) => this.#broke(error))
    })
  }

  /** What has passed is not kept. */
  recycle (chunk: Buffer): void {
    this.#source.recycle?.(chunk)
  }

  cancel (reason?: Fault): void {
    this.#source.cancel(reason)
  }

  /** Nothing follows the event that is passing. */
  finish (): void {
    this.#ending = true
    const reader = this.#reader
    if (!this.#atBorder || reader === undefined) return
    this.#reader = undefined
    reader.resolve(this.#end())
  }

  #end (): undefined {
    this.#source.cancel()
  }

  #arrived (chunk: Buffer | undefined): void {
    const reader = this.#reader
    this.#reader = undefined
    reader?.resolve(this.#passed(chunk))
  }

  #broke (error: unknown): void {
    const reader = this.#reader
    this.#reader = undefined
    reader?.reject(error)
  }

  #passed (chunk: Buffer | undefined): Buffer | undefined {
    if (chunk !== undefined) this.#atBorder = endsWithEmptyLine(chunk, this.#atBorder)
    return chunk
  }
}

/** `before`: what came before did. A pair of line ends that came in two pieces is not seen: the next event will do as well. */
function endsWithEmptyLine (chunk: Buffer, before: boolean): boolean {
  const { length } = chunk
  const last = chunk[length - 1]
  if (last !== lineFeed && last !== carriageReturn) return false
  if (length === 1) return before
  const previous = chunk[length - 2]
  if (previous !== carriageReturn || last === carriageReturn) return previous === last
  return length === 2 ? before : chunk[length - 3] === lineFeed
}

/** The body of an answer as it goes out; wrapped when it can be ended between two events. An answer of a known length has an end of its own. */
export function endable (reply: Reply): Body | EventStream | undefined {
  const { body } = reply
  if (body === undefined || body.length !== undefined) return body
  return /^text\/event-stream(?:$|[\s;])/i.test(reply.headers.get('content-type') ?? '') ? new EventStream(body) : body
}
