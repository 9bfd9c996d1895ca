/** Frames that one head may come in; what senders cut at 16 KiB needs a handful. */
const maxFrames = 16

/** A head whose last frame has not come (RFC 9113 section 4.3). */
export class HeadBlock {
  readonly stream: number
  readonly ended: boolean
  /** It says of itself that it depends on itself. */
  readonly selfDependent: boolean
  readonly #maxBytes: number
  readonly #pieces: Buffer[] = []
  #bytes = 0

  constructor (stream: number, ended: boolean, selfDependent: boolean, maxBytes: number) {
    this.stream = stream
    this.ended = ended
    this.selfDependent = selfDependent
    this.#maxBytes = maxBytes
  }

  /** False when it is more than a head may be. */
  add (bytes: Buffer, start: number, end: number): boolean {
    this.#bytes += end - start
    if (this.#bytes > this.#maxBytes || this.#pieces.length === maxFrames) return false
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
    return true
  }

  whole (): Buffer {
    return Buffer.concat(this.#pieces)
  }
}
