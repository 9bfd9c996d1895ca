import type { Fault } from './faults.ts'
import type { HeaderList } from './headers.ts'

export type MaybePromise<T> = T | Promise<T>

/**
 * Bytes that flow when asked for. Pulling is the back-pressure: nobody reads, nobody sends.
 *
 * One consumer, one `read` at a time. A stage that looks at or changes a body is a `Body` around another one.
 */
export interface Body {
  /** Bytes to come when the sender said so, `undefined` when only the end tells. A stage that may change bytes gives `undefined`. */
  readonly length: number | undefined
  /**
   * The next chunk (never empty), or `undefined` at the end.
   * Rejects with a `Fault` when the peer breaks off or is idle for too long, with a `Refusal` when a stage ends the exchange.
   */
  read (): MaybePromise<Buffer | undefined>
  /** The client sends it only when told to (`Expect: 100-continue`): the first read does. A stage that reads of its own accord does not hand this on. */
  readonly expectsContinue?: boolean | undefined
  /** Field lines after the body, known once `read` gave `undefined`. */
  readonly trailers: HeaderList | undefined
  /** Nobody wants the rest. Frees what is held and tells the sender. Safe to call twice and after the end. */
  cancel (reason?: Fault): void
  /**
   * Only of bodies straight from the wire, to be called by whoever wrote `chunk` out as the last one to need it: its memory is used again. A stage
   * around a body does not have it, since it may have kept what it saw.
   */
  recycle? (chunk: Buffer): void
}

/** Where a body goes. */
export interface BodySink {
  /** A promise when the receiver is slow: await it before the next chunk. Rejects with a `Fault` when the receiver is gone. */
  write (chunk: Buffer): MaybePromise<void>
  end (trailers?: HeaderList): MaybePromise<void>
}

/** Moves a body into a sink, one chunk at a time. Awaits only where there is something to wait for (test/bench/body.bench.ts). */
export async function pump (body: Body, sink: BodySink): Promise<number> {
  let bytes = 0
  for (;;) {
    const next = body.read()
    const chunk = next instanceof Promise ? await next : next
    if (chunk === undefined) break
    bytes += chunk.length
    const ready = sink.write(chunk)
    if (ready instanceof Promise) await ready
  }
  await sink.end(body.trailers)
  return bytes
}

/** A body that is all there. An empty buffer gives a body of length 0. */
export function bodyOf (content: Buffer, trailers?: HeaderList): Body {
  let rest: Buffer | undefined = content.length > 0 ? content : undefined
  return {
    length: content.length,
    trailers,
    read () {
      const chunk = rest
      rest = undefined
      return chunk
    },
    cancel () { rest = undefined },
  }
}

/**
 * A stage around a body, which says of it what that one says.
 *
 * A class, as every body with getters must be: an object literal with one gets a hidden class of its own each time it is made, which is old from the
 * start and keeps what the getter sees until the next full collection of garbage: the whole exchange.
 */
export abstract class BodyAround implements Body {
  readonly length: number | undefined
  protected readonly source: Body

  constructor (source: Body) {
    this.source = source
    this.length = source.length
  }

  get trailers (): HeaderList | undefined {
    return this.source.trailers
  }

  abstract read (): MaybePromise<Buffer | undefined>

  cancel (reason?: Fault): void {
    this.source.cancel(reason)
  }
}

/** The same body, each chunk (and the end, `undefined`) shown to `look` on its way. What `look` throws ends the body. */
export function watched (body: Body, look: (chunk: Buffer | undefined) => void): Body {
  return new WatchedBody(body, look)
}

class WatchedBody extends BodyAround {
  readonly #look: (chunk: Buffer | undefined) => void

  constructor (source: Body, look: (chunk: Buffer | undefined) => void) {
    super(source)
    this.#look = look
  }

  get expectsContinue (): boolean | undefined {
    return this.source.expectsContinue
  }

  read (): MaybePromise<Buffer | undefined> {
    const next = this.source.read()
    return next instanceof Promise ? next.then((chunk) => this.#seen(chunk)) : this.#seen(next)
  }

  #seen (chunk: Buffer | undefined): Buffer | undefined {
    this.#look(chunk)
    return chunk
  }
}

/** The beginning of a body that was read already, then the rest of it. */
export function bodyAfter (head: readonly Buffer[], rest: Body): Body {
  return new BodyAfter(head, rest)
}

class BodyAfter extends BodyAround {
  readonly #head: readonly Buffer[]
  #next = 0

  constructor (head: readonly Buffer[], rest: Body) {
    super(rest)
    this.#head = head
  }

  read (): MaybePromise<Buffer | undefined> {
    return this.#next < this.#head.length ? this.#head[this.#next++] : this.source.read()
  }

  override cancel (reason?: Fault): void {
    this.#next = this.#head.length
    super.cancel(reason)
  }
}

export interface Gathered {
  readonly chunks: readonly Buffer[]
  readonly bytes: number
  /** False when the limit was reached first: `chunks` then hold a little more than `maxBytes`. */
  readonly complete: boolean
}

/** So many chunks in a row are joined when they are small: an object for each byte costs hundreds of times the byte. */
const joinedChunks = 128
const smallBytes = 512

/** Reads at most a chunk more than `maxBytes` into memory. */
export async function gather (body: Body, maxBytes: number): Promise<Gathered> {
  const chunks: Buffer[] = []
  let bytes = 0
  let small = 0
  for (;;) {
    const chunk = await body.read()
    if (chunk === undefined) return { chunks, bytes, complete: true }
    chunks.push(chunk)
    bytes += chunk.length
    small = chunk.length < smallBytes ? small + 1 : 0
    if (small === joinedChunks) {
      chunks.push(Buffer.concat(chunks.splice(-joinedChunks)))
      small = 0
    }
    if (bytes > maxBytes) return { chunks, bytes, complete: false }
  }
}
