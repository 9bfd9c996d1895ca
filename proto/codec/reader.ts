/** Bytes that are not a message of this protocol. */
export class MalformedMessage extends Error {
  constructor (what: string) {
    super(`malformed message: ${what}`)
    this.name = 'MalformedMessage'
  }
}

/**
 * Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding/). Every read is checked against the end of
 * the buffer, and `close` against the end of the message, so bytes from a stranger throw `MalformedMessage` and nothing else.
 */
export class Reader {
  readonly #buffer: Buffer
  pos = 0

  constructor (buffer: Buffer) {
    this.#buffer = buffer
  }

  uint32 (): number {
    const buffer = this.#buffer
    let byte = buffer[this.pos++]
    if (byte !== undefined && byte < 0x80) return byte
    let value = 0
    for (let shift = 0; byte !== undefined; shift += 7) {
      // Up to ten bytes are legal: a negative int32 is sent as 64 bits. What is above 32 bits falls off.
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
      if (shift === 63) throw new MalformedMessage('a number longer than ten bytes')
      byte = buffer[this.pos++]
    }
    throw new MalformedMessage('a number is cut off')
  }

  /** What is above 2^53 - 1 is read as that: peers write the largest number to say "no limit". */
  uint64 (): number {
    let value = 0
    let scale = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.#buffer[this.pos++]
      if (byte === undefined) throw new MalformedMessage('a number is cut off')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return Math.min(value, Number.MAX_SAFE_INTEGER)
      scale *= 0x80
    }
    throw new MalformedMessage('a number longer than ten bytes')
  }

  bool (): boolean {
    return this.uint64() !== 0
  }

  double (): number {
    return this.#buffer.readDoubleLE(this.#take(8))
  }

  /** Invalid UTF-8 becomes U+FFFD. */
  string (): string {
    const size = this.uint32()
    if (size === 0) return ''
    const start = this.#take(size)
    return this.#buffer.toString('utf8', start, start + size)
  }

  /** One char code per byte. */
  latin1 (): string {
    const size = this.uint32()
    if (size === 0) return ''
    const start = this.#take(size)
    return this.#buffer.toString('latin1', start, start + size)
  }

  /** A view into the message, not a copy. */
  bytes (): Buffer {
    const size = this.uint32()
    const start = this.#take(size)
    return this.#buffer.subarray(start, start + size)
  }

  /** Start of a nested message; gives the position where it ends. */
  open (parentEnd: number): number {
    const size = this.uint32()
    const end = this.pos + size
    if (end > parentEnd) throw new MalformedMessage('a part is longer than the whole')
    return end
  }

  /** To be called when the loop over the fields of a message is done. */
  close (end: number): void {
    if (this.pos !== end) throw new MalformedMessage('a field is longer than its message')
  }

  /** Steps over a field that this version does not know, or that does not have the type it should have. */
  skip (tag: number): void {
    if (tag >>> 3 === 0) throw new MalformedMessage('field number 0')
    switch (tag & 7) {
      case 0: this.uint64(); return
      case 1: this.#take(8); return
      case 2: this.#take(this.uint32()); return
      case 5: this.#take(4); return
      // 3 and 4 are groups, which no proto3 peer writes; 6 and 7 are nothing.
      default: throw new MalformedMessage(`wire type ${tag & 7}`)
    }
  }

  #take (size: number): number {
    const start = this.pos
    if (start + size > this.#buffer.length) throw new MalformedMessage('a field is cut off')
    this.pos = start + size
    return start
  }
}

/** Throws `MalformedMessage`. The message may hold views into `bytes`. */
export function decode<T> (read: (reader: Reader, end: number) => T, bytes: Uint8Array): T {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return read(new Reader(buffer), buffer.length)
}
