import type { BodyChunk, Event } from '../proto/codec/index.ts'
import { AgentFailure } from './failure.ts'

export type BodyEvent = Event & { readonly kind: 'request_body', readonly value: BodyChunk }

/** Body events on their way from the stream to a handler that asked for them. */
export class LateBody {
  readonly kind: 'buffer' | 'stream'
  readonly #maxBytes: number
  #queue: BodyEvent[] = []
  #queuedBytes = 0
  #waiting: { resolve: (event: BodyEvent) => void, reject: (error: Error) => void } | undefined
  #error: Error | undefined
  /** The handler is through; nobody reads on. */
  finished = false

  constructor (kind: 'buffer' | 'stream', maxBytes: number) {
    this.kind = kind
    this.#maxBytes = maxBytes
  }

  push (event: BodyEvent): void {
    if (this.#error) return
    if (this.#waiting) {
      const { resolve } = this.#waiting
      this.#waiting = undefined
      resolve(event)
      return
    }
    this.#queuedBytes += event.value.data.length
    if (this.#queuedBytes > this.#maxBytes) {
      this.end(new AgentFailure('body_too_large', `more than ${this.#maxBytes} bytes of a body are waiting`))
      return
    }
    this.#queue.push(event)
  }

  /** Nothing more comes. Whoever waits gets the error; what is queued is given up. */
  end (error: Error): void {
    this.#error ??= error
    this.#queue = []
    this.#waiting?.reject(this.#error)
    this.#waiting = undefined
  }

  next (): Promise<BodyEvent> {
    const event = this.#queue.shift()
    if (event) {
      this.#queuedBytes -= event.value.data.length
      return Promise.resolve(event)
    }
    if (this.#error) return Promise.reject(this.#error)
    return new Promise((resolve, reject) => { this.#waiting = { resolve, reject } })
  }
}

/** The pieces of one body until it is complete. */
export class Collector {
  readonly #maxBytes: number
  #pieces: Buffer[] = []
  #bytes = 0

  constructor (maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** The whole body when this was its end. Throws `AgentFailure` when it is longer than the agent takes. */
  add ({ data, end }: BodyChunk): Buffer | undefined {
    this.#bytes += data.length
    if (this.#bytes > this.#maxBytes) {
      this.#pieces = []
      throw new AgentFailure('body_too_large', `the body is longer than ${this.#maxBytes} bytes`)
    }
    if (end && this.#pieces.length === 0) return data
    this.#pieces.push(data)
    return end ? Buffer.concat(this.#pieces, this.#bytes) : undefined
  }
}
