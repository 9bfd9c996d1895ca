/** Encoded messages are slices of slabs of this size; a larger message gets a buffer of its own. */
const slabBytes = 64 * 1024

/** Below this many characters a loop over the string beats the call into Buffer (test/bench/codec.bench.ts). */
const shortText = 24

/**
 * Protobuf wire format (https://protobuf.dev/programming-guides/encoding/), written from the back to the front: the
 * length that goes before a nested message is known when its turn comes, so nothing is measured first or moved after.
 *
 * Not re-entrant: one message at a time, through `encode` or `encodeFrame`.
 */
export class Writer {
  #buffer = Buffer.allocUnsafeSlow(slabBytes)
  /** Bytes of `#buffer` before this index are free. */
  #pos = slabBytes
  /** Where the message being written ends. */
  #end = slabBytes

  /** Bytes written of this message so far; give it to `close` once the nested message is written. */
  get used (): number {
    return this.#end - this.#pos
  }

  begin (): void {
    this.#end = this.#pos
  }

  /** The message. The bytes belong to the caller; the writer never touches them again. */
  finish (): Buffer {
    return this.#buffer.subarray(this.#pos, this.#end)
  }

  /** Forgets what was written of a message that could not be finished. */
  abandon (): void {
    this.#pos = this.#end
  }

  uint32 (value: number): void {
    let rest = value >>> 0
    const size = rest < 0x80 ? 1 : rest < 0x4000 ? 2 : rest < 0x200000 ? 3 : rest < 0x10000000 ? 4 : 5
    let at = this.#take(size)
    const buffer = this.#buffer
    while (rest > 0x7f) {
      buffer[at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    buffer[at] = rest
  }

  /** Up to 2^53 - 1, which is what a JavaScript number holds exactly. */
  uint64 (value: number): void {
    if (value <= 0xffffffff && value >= 0) return this.uint32(value)
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`not an unsigned integer: ${value}`)
    let size = 1
    for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 0x80)) size++
    let at = this.#take(size)
    for (let rest = value; size > 0; rest = Math.floor(rest / 0x80)) this.#buffer[at++] = (rest % 0x80) | (--size > 0 ? 0x80 : 0)
  }

  bool (value: boolean): void {
    // In this order: taking may put another buffer in the place of this one.
    const at = this.#take(1)
    this.#buffer[at] = value ? 1 : 0
  }

  double (value: number): void {
    const at = this.#take(8)
    this.#buffer.writeDoubleLE(value, at)
  }

  /** Eight bytes: times and counts that a number has no room for. */
  fixed64 (value: bigint): void {
    const at = this.#take(8)
    this.#buffer.writeBigUInt64LE(value, at)
  }

  /** Text as UTF-8, behind its length. */
  string (text: string): void {
    if (text.length > shortText || !this.#ascii(text)) {
      const size = Buffer.byteLength(text)
      const at = this.#take(size)
      this.#buffer.write(text, at, size, 'utf8')
      this.uint32(size)
    }
  }

  /**
   * Text with one byte per char code, behind its length: how field lines are handed around. A code above 255 is no byte:
   * cut off it could become a line feed, so it is refused.
   */
  latin1 (text: string): void {
    const size = text.length
    if (size <= shortText && this.#ascii(text)) return
    if (notLatin1.test(text)) throw new RangeError('a character above U+00FF in a text of bytes')
    const at = this.#take(size)
    this.#buffer.write(text, at, size, 'latin1')
    this.uint32(size)
  }

  bytes (bytes: Uint8Array): void {
    const at = this.#take(bytes.length)
    this.#buffer.set(bytes, at)
    this.uint32(bytes.length)
  }

  /** What was written before, tag and all. */
  encoded (bytes: Uint8Array): void {
    const at = this.#take(bytes.length)
    this.#buffer.set(bytes, at)
  }

  /** A copy of what was written since `used` was `mark`, for `encoded`. */
  copySince (mark: number): Buffer {
    return Buffer.from(this.#buffer.subarray(this.#pos, this.#end - mark))
  }

  /** Puts length and tag in front of what was written since `used` was `mark`. */
  close (mark: number, tag: number): void {
    this.uint32(this.used - mark)
    this.uint32(tag)
  }

  /** The five bytes in front of a gRPC message: not compressed, length (gRPC over HTTP/2, "Length-Prefixed-Message"). */
  frameHead (): void {
    const size = this.used
    const at = this.#take(5)
    this.#buffer[at] = 0
    this.#buffer.writeUInt32BE(size, at + 1)
  }

  /** Writes a text of ASCII with its length; false, with nothing written, when it holds anything else. */
  #ascii (text: string): boolean {
    const size = text.length
    const at = this.#take(size)
    const buffer = this.#buffer
    for (let i = 0; i < size; i++) {
      const code = text.charCodeAt(i)
      if (code > 0x7f) {
        this.#pos = at + size
        return false
      }
      buffer[at + i] = code
    }
    this.uint32(size)
    return true
  }

  #take (size: number): number {
    // In this form it is true as well for what is no number: the length of a value of another type.
    if (!(size <= this.#pos)) this.#grow(size)
    return this.#pos -= size
  }

  #grow (size: number): void {
    if (!Number.isSafeInteger(size)) throw new TypeError('a value is not of the type that the protocol has for it')
    const used = this.used
    // Doubled, so that a message of many parts is not copied for each of them.
    const larger = Buffer.allocUnsafeSlow(Math.max(slabBytes, used + size + Math.max(used, 1024)))
    this.#buffer.copy(larger, larger.length - used, this.#pos, this.#end)
    this.#buffer = larger
    this.#end = larger.length
    this.#pos = larger.length - used
  }
}

const notLatin1 = /[^\u0000-\u00ff]/

const writer = new Writer()

/** The bytes of a message. Throws a RangeError or TypeError for a value the wire cannot carry. */
export function encode<T> (write: (writer: Writer, message: T) => void, message: T): Buffer {
  writer.begin()
  try {
    write(writer, message)
  } catch (error) {
    writer.abandon()
    throw error
  }
  return writer.finish()
}

/** The bytes of a message as one gRPC frame: `encode` and the prefix of five bytes, without a copy. */
export function encodeFrame<T> (write: (writer: Writer, message: T) => void, message: T): Buffer {
  writer.begin()
  try {
    write(writer, message)
    writer.frameHead()
  } catch (error) {
    writer.abandon()
    throw error
  }
  return writer.finish()
}
