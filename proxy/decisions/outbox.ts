/** A message larger than this is not made longer: agents on other gRPC libraries refuse messages above 4 MiB by default. */
const fullMessageBytes = 256 * 1024

/** Bytes that wait for a receiver who does not take them before calls are refused, and before the connection is given up. */
const fullBytes = 8 * 1024 * 1024
const overfullBytes = 4 * fullBytes

/** Whoever sends a body waits above this. */
const roomyBytes = 1024 * 1024

export interface OutboxHooks {
  /** Takes whole gRPC frames; false when the receiver is slow. */
  write (frames: Buffer): boolean
  /** The receiver takes nothing any more. */
  onOverfull (): void
}

/**
 * Events on their way to the agent. Those of one turn of the event loop leave as one message.
 *
 * By `setImmediate`, which runs when all sockets of a turn were read. A microtask runs after each socket's callback, so requests of
 * different connections would leave one by one; where calls begin together anyway (test/bench/calls) both cost the same.
 */
export class Outbox {
  readonly #hooks: OutboxHooks
  #messages: Buffer[] = []
  #bytes = 0
  #blocked = false
  #scheduled = false
  #closed = false
  readonly #waiting = new Set<() => void>()

  constructor (hooks: OutboxHooks) {
    this.#hooks = hooks
  }

  get full (): boolean {
    return this.#bytes >= fullBytes
  }

  /** For bodies: `undefined` when there is room now, else a promise of whether there was before the deadline. */
  room (deadlineMs: number): Promise<boolean> | undefined {
    if (this.#bytes < roomyBytes || this.#closed) return undefined
    return new Promise((resolve) => {
      const done = (roomy: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(enter)
        resolve(roomy)
      }
      const enter = (): void => done(true)
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
    this.#messages.push(message)
    this.#bytes += message.length
    if (this.#bytes >= overfullBytes) return this.#hooks.onOverfull()
    if (this.#blocked) return
    if (urgent) this.#flush()
    else this.#schedule()
  }

  /** The receiver takes bytes again. */
  drained (): void {
    this.#blocked = false
    this.#flush()
  }

  close (): void {
    this.#closed = true
    this.#messages = []
    this.#bytes = 0
    for (const enter of this.#waiting) enter()
  }

  #flush (): void {
    const messages = this.#messages
    let at = 0
    while (at < messages.length && !this.#blocked && !this.#closed) {
      const frame: Buffer[] = [emptyHead]
      let bytes = 0
      do {
        // `at` is below the length here and below.
        const message = messages[at++]!
        frame.push(message)
        bytes += message.length
      } while (at < messages.length && bytes + messages[at]!.length <= fullMessageBytes)
      const joined = Buffer.concat(frame, frameHeadBytes + bytes)
      joined.writeUInt32BE(bytes, 1)
      this.#bytes -= bytes
      this.#blocked = !this.#hooks.write(joined)
    }
    if (!this.#closed) this.#messages = at === messages.length ? [] : messages.slice(at)
    this.#wake()
  }

  /** Lets in as many as fit with a whole message each, and looks again next turn while there is room: who is let in may have given up. */
  #wake (): void {
    let places = Math.ceil((roomyBytes - this.#bytes) / fullMessageBytes)
    for (const enter of this.#waiting) {
      if (places-- <= 0) return
      enter()
    }
    if (this.#waiting.size > 0) this.#schedule()
  }

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#flush()
    })
  }
}

const frameHeadBytes = 5
const emptyHead = Buffer.alloc(frameHeadBytes)
