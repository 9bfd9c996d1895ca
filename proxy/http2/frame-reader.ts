import { flag, frameHeaderBytes } from './protocol.ts'

/** Finds frames in what was received. A frame that came in pieces is put together in memory of its own; all others stay where they are. */
export class FrameReader {
  length = 0
  type = 0
  flags = 0
  /** 0 is the connection. */
  stream = 0
  /** The payload of the frame that was found last: `bytes` from `start` to `end`. */
  bytes: Buffer = nothing
  start = 0
  end = 0

  readonly #maxFrameBytes: number
  #chunk: Buffer = nothing
  #at = 0
  /** A frame of which only a part came; of its size once that is known. */
  #part: Buffer = nothing
  #filled = 0

  constructor (maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Something of a frame is there, and not all of it. To be asked when `next` gave false. */
  get began (): boolean {
    return this.#filled > 0
  }

  /** To be called when `next` has given false for what was there before. */
  push (bytes: Buffer): void {
    this.#chunk = bytes
    this.#at = 0
  }

  /** What was not looked at is forgotten. */
  clear (): void {
    this.#chunk = this.#part = this.bytes = nothing
    this.#at = this.#filled = 0
  }

  /** Whether there is another whole frame, which then stands in the fields above; 'too-large' for one that must not be read. */
  next (): boolean | 'too-large' {
    if (this.#filled > 0) return this.#nextOfPart()
    const chunk = this.#chunk
    const left = chunk.length - this.#at
    if (left < frameHeaderBytes) return this.#keep(frameHeaderBytes)
    this.#readHeader(chunk, this.#at)
    if (this.length > this.#maxFrameBytes) return 'too-large'
    const size = frameHeaderBytes + this.length
    if (left < size) return this.#keep(size)
    this.bytes = chunk
    this.start = this.#at + frameHeaderBytes
    this.end = this.#at += size
    return true
  }

  /** Behind the padding, if there is any (RFC 9113 section 6.1): false when there is more of it than there is frame. */
  unpad (): boolean {
    if ((this.flags & flag.padded) === 0) return true
    const padding = this.length === 0 ? Infinity : this.bytes[this.start]!
    this.start++
    this.end -= padding
    return this.end >= this.start
  }

  #nextOfPart (): boolean | 'too-large' {
    if (this.#filled < frameHeaderBytes) {
      this.#fill(frameHeaderBytes)
      if (this.#filled < frameHeaderBytes) return false
      this.#readHeader(this.#part, 0)
      if (this.length > this.#maxFrameBytes) return 'too-large'
      const whole = Buffer.allocUnsafeSlow(frameHeaderBytes + this.length)
      this.#part.copy(whole)
      this.#part = whole
    }
    this.#fill(this.#part.length)
    if (this.#filled < this.#part.length) return false
    this.bytes = this.#part
    this.start = frameHeaderBytes
    this.end = this.#part.length
    this.#part = nothing
    this.#filled = 0
    return true
  }

  #readHeader (bytes: Buffer, at: number): void {
    this.length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!
    this.type = bytes[at + 3]!
    this.flags = bytes[at + 4]!
    this.stream = (bytes[at + 5]! & 0x7f) << 24 | bytes[at + 6]! << 16 | bytes[at + 7]! << 8 | bytes[at + 8]!
  }

  #keep (size: number): false {
    if (this.#at < this.#chunk.length) {
      this.#part = Buffer.allocUnsafeSlow(size)
      this.#fill(size)
    }
    // A connection that waits holds nothing of what it has read.
    this.#chunk = this.bytes = nothing
    this.#at = 0
    return false
  }

  /** Moves what was received over, until `size` bytes of the frame are there. */
  #fill (size: number): void {
    const copied = this.#chunk.copy(this.#part, this.#filled, this.#at, Math.min(this.#chunk.length, this.#at + size - this.#filled))
    this.#filled += copied
    this.#at += copied
  }
}

const nothing: Buffer = Buffer.alloc(0)
