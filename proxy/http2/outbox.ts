import type { Socket } from 'node:net'

/** Payloads below this size are joined with their frame heads to one text. */
const joinedBytes = 2048

/** Nothing more is read while this much waits for the other side to take it. */
const mostWaiting = 128 * 1024

/** Frames on their way out. What one turn of the event loop brings together goes out in one write. */
export class Outbox {
  /** Bytes that were not handed to the socket yet. */
  bytes = 0
  /** The socket holds as much as it should. */
  full = false
  /** Since when it does; Infinity while it does not. */
  fullSinceMs = Infinity
  readonly #socket: Socket
  readonly #idleMs: number
  #text = ''
  #pieces: Array<string | Buffer> = []

  /** A socket that takes no byte for `idleMs` while it is full is cut; never, when that is 0. */
  constructor (socket: Socket, idleMs: number) {
    this.#socket = socket
    this.#idleMs = idleMs
    if (idleMs > 0) socket.on('timeout', () => socket.destroy())
  }

  /** Bytes that the system has not taken. */
  get waiting (): number {
    return this.bytes + this.#socket.writableLength
  }

  /** More than the other side should have to take before anything else is done for it. */
  get crowded (): boolean {
    return this.waiting > mostWaiting
  }

  frame (text: string): void {
    this.#text += text
    this.bytes += text.length
  }

  data (head: string, payload: Buffer, from: number, to: number): void {
    this.bytes += head.length + to - from
    if (to - from < joinedBytes) {
      this.#text += head + payload.toString('latin1', from, to)
      return
    }
    this.#pieces.push(this.#text + head, from === 0 && to === payload.length ? payload : payload.subarray(from, to))
    this.#text = ''
  }

  flush (): void {
    if (this.bytes === 0) return
    const socket = this.#socket
    const pieces = this.#pieces
    const text = this.#text
    this.bytes = 0
    this.#text = ''
    if (pieces.length === 0) return this.#wrote(socket.write(text, 'latin1'))
    this.#pieces = []
    if (text !== '') pieces.push(text)
    socket.cork()
    let ready = true
    for (const piece of pieces) ready = typeof piece === 'string' ? socket.write(piece, 'latin1') : socket.write(piece)
    socket.uncork()
    this.#wrote(ready)
  }

  /** The socket takes more again. */
  drained (): void {
    this.full = false
    this.fullSinceMs = Infinity
    if (this.#idleMs > 0) this.#socket.setTimeout(0)
  }

  #wrote (ready: boolean): void {
    if (ready || this.full) return
    this.full = true
    this.fullSinceMs = performance.now()
    // Node's own time-out sees progress below the size of what was written at once; a clock here would not.
    if (this.#idleMs > 0) this.#socket.setTimeout(this.#idleMs)
  }
}
