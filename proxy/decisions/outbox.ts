import type { Asker } from './admission.ts'
import type { Sayings } from './grpc-stream.ts'

/** A message larger than this is not made longer: agents on other gRPC libraries refuse messages above 4 MiB by default. */
const fullMessageBytes = 256 * 1024

/** Bytes that wait for a receiver who does not take them before calls are refused, and before the connection is given up. */
const fullBytes = 8 * 1024 * 1024
const overfullBytes = 4 * fullBytes

/** Whoever sends a body waits above this. */
const roomyBytes = 1024 * 1024

export interface OutboxHooks {
  /** There is something to read. `urgent`: nothing is worth waiting for. */
  onFilled (urgent: boolean): void
  /** The receiver takes nothing any more. */
  onOverfull (): void
}

/**
 * Events on their way to the agent. Whoever sends them reads as much as the agent takes, once for each turn of the event loop, when all its sockets were
 * read: what a turn brings leaves as one message.
 */
export class Outbox implements Sayings {
  readonly #hooks: OutboxHooks
  /** Bytes that were read. */
  sentBytes = 0
  #messages: Buffer[] = []
  #bytes = 0
  #looking = false
  #finishing = false
  #closed = false
  readonly #waiting = new Set<() => void>()

  constructor (hooks: OutboxHooks) {
    this.#hooks = hooks
  }

  get full (): boolean {
    return this.#bytes >= fullBytes
  }

  /** For bodies: `undefined` when there is room now, else a promise of whether there was before the deadline, or before the asker is stopped. */
  room (deadlineMs: number, asker: Asker): Promise<boolean> | undefined {
    if (this.#bytes < roomyBytes || this.#closed || asker.stopped !== undefined) return undefined
    return new Promise((resolve) => {
      const done = (roomy: boolean): void => {
        clearTimeout(timer)
        forget()
        this.#waiting.delete(enter)
        resolve(roomy)
      }
      const enter = (): void => done(true)
      const forget = asker.whenStopped(() => done(false))
      const timer = setTimeout(() => done(false), Math.max(0, deadlineMs - performance.now()))
      this.#waiting.add(enter)
    })
  }

  /**
   * Queues an encoded `ToAgent`. Protobuf messages that follow each other are one message with all their repeated fields
   * (https://protobuf.dev/programming-guides/encoding/#last-one-wins), so batching is putting bytes together. `urgent`: nothing is worth waiting for.
   */
  push (message: Buffer, urgent: boolean): void {
    if (this.#closed) return
    // One long event that nothing waits before says nothing about who reads it.
    const overfull = this.#bytes >= overfullBytes
    this.#messages.push(message)
    this.#bytes += message.length
    if (overfull) this.#hooks.onOverfull()
    else this.#hooks.onFilled(urgent)
  }

  /** Says what waits, and then that this was all. */
  finish (): void {
    this.#finishing = true
    this.#hooks.onFilled(true)
  }

  close (): void {
    this.#closed = true
    this.#messages = []
    this.#bytes = 0
    for (const enter of this.#waiting) enter()
  }

  read (): Buffer | null | undefined {
    const messages = this.#messages
    if (messages.length === 0) return this.#finishing ? undefined : null
    const frame: Buffer[] = [emptyHead]
    let bytes = 0
    let at = 0
    do {
      // `at` is below the length here and below.
      const message = messages[at++]!
      frame.push(message)
      bytes += message.length
    } while (at < messages.length && bytes + messages[at]!.length <= fullMessageBytes)
    const joined = Buffer.concat(frame, frameHeadBytes + bytes)
    joined.writeUInt32BE(bytes, 1)
    this.#bytes -= bytes
    this.sentBytes += joined.length
    this.#messages = at === messages.length ? [] : messages.slice(at)
    if (this.#waiting.size > 0) this.#wake()
    return joined
  }

  /** Lets in as many as fit with a whole message each, and looks again next turn while there is room: who is let in may have given up. */
  #wake (): void {
    let places = Math.ceil((roomyBytes - this.#bytes) / fullMessageBytes)
    for (const enter of this.#waiting) {
      if (places-- <= 0) return
      enter()
    }
    if (this.#waiting.size === 0 || this.#looking) return
    this.#looking = true
    setImmediate(() => {
      this.#looking = false
      this.#wake()
    })
  }
}

const frameHeadBytes = 5
const emptyHead = Buffer.alloc(frameHeadBytes)
