// Message framing of gRPC over HTTP/2 ("Length-Prefixed-Message"): one byte that says whether the message is compressed, four
// bytes of length (big endian), the message. `encodeFrame` of ./writer.ts makes such frames without copying the message.

const headBytes = 5

/** Bytes that are not a gRPC frame, or a message larger than allowed. The stream cannot be used any further. */
export class BadFrame extends Error {
  readonly isTooLarge: boolean

  constructor (what: string, isTooLarge = false) {
    super(`bad gRPC frame: ${what}`)
    this.name = 'BadFrame'
    this.isTooLarge = isTooLarge
  }
}

/** A frame around a message that is encoded already. */
export function frame (message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(headBytes + message.length)
  framed[0] = 0
  framed.writeUInt32BE(message.length, 1)
  framed.set(message, headBytes)
  return framed
}

/**
 * Cuts the data of one gRPC stream into messages. Messages that arrive in one piece are views into it; those that are spread over
 * several are copied into a buffer of their size, so many small pieces cost no more memory than the message.
 */
export class FrameDecoder {
  readonly #maxBytes: number
  readonly #head = Buffer.alloc(headBytes)
  /** What has arrived of a frame that is not complete: its head, or all of it once the head is known. */
  #partial: Buffer
  #filled = 0

  /** `maxBytes`: a longer message throws as soon as its head is there, before any of it is kept. */
  constructor (maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#partial = this.#head
  }

  /** True between messages; false when a stream that ends now breaks off in the middle of one. */
  get clean (): boolean {
    return this.#filled === 0
  }

  /** The messages that are complete with these bytes. Throws `BadFrame`. */
  push (data: Buffer): Buffer[] {
    const messages: Buffer[] = []
    let at = 0
    while (at < data.length) {
      if (this.#filled === 0 && data.length - at >= headBytes) {
        const end = at + headBytes + this.#sizeAt(data, at)
        if (end <= data.length) {
          messages.push(data.subarray(at + headBytes, end))
          at = end
          continue
        }
      }
      at += this.#hold(data, at, messages)
    }
    return messages
  }

  /** Takes what the frame in progress lacks; gives how many bytes that was. */
  #hold (data: Buffer, at: number, messages: Buffer[]): number {
    const taken = data.copy(this.#partial, this.#filled, at)
    this.#filled += taken
    if (this.#filled < this.#partial.length) return taken
    if (this.#partial === this.#head) {
      this.#partial = Buffer.allocUnsafe(headBytes + this.#sizeAt(this.#head, 0))
      this.#head.copy(this.#partial)
      if (this.#partial.length > headBytes) return taken
    }
    messages.push(this.#partial.subarray(headBytes))
    this.#partial = this.#head
    this.#filled = 0
    return taken
  }

  #sizeAt (data: Buffer, at: number): number {
    const flag = data[at]
    if (flag !== 0) throw new BadFrame(flag === 1 ? 'compressed, although no compression was agreed on' : `flag ${flag}`)
    const size = data.readUInt32BE(at + 1)
    if (size > this.#maxBytes) throw new BadFrame(`a message of ${size} bytes, at most ${this.#maxBytes} are accepted`, true)
    return size
  }
}
