/** Why a frame may not pass: the status code that its sender is told (RFC 6455 section 7.4.1), and a sentence for the log. */
export interface Violation {
  readonly code: 1002 | 1007 | 1009
  readonly detail: string
}

export interface HeadRules {
  /** Frames of clients are masked, those of servers are not (RFC 6455 section 5.1). */
  readonly masked: boolean
  /**
   * What the reserved bits may mean: anything, because an extension was agreed on; that the message is compressed (RFC 7692 section 6), in the
   * first frame of one; or nothing.
   */
  readonly extended: boolean | 'deflate'
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const longestHeader = 14
const longestControl = 125
const firstReservedBit = 0x40

/** The head of one frame after the other (RFC 6455 section 5.2), out of bytes in any pieces. */
export class FrameHead {
  opcode = 0
  final = true
  /** Of the payload. */
  length = 0
  /** The first reserved bit. */
  compressed = false
  /** Between the first and the last fragment of a message. */
  inMessage = false
  readonly #rules: HeadRules
  readonly #octets = Buffer.alloc(longestHeader)
  #have = 0

  constructor (rules: HeadRules) {
    this.#rules = rules
  }

  /** Octets of a head that is not whole yet, or was not let go. */
  get have (): number {
    return this.#have
  }

  get whole (): boolean {
    if (this.#have < 2) return false
    const second = this.#octets[1]!
    const length = second & 0x7f
    return this.#have >= 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0)
  }

  /** A copy of the first so many octets. */
  copy (octets = this.#have): Buffer {
    return Buffer.from(this.#octets.subarray(0, octets))
  }

  /** What the payload of a client's frame was mixed with. */
  mask (): Buffer {
    return Buffer.from(this.#octets.subarray(this.#have - 4, this.#have))
  }

  /** Reads on from `at` and gives where it stopped: when the head is whole, or at the end. */
  gather (chunk: Buffer, at: number): number {
    while (at < chunk.length && !this.whole) this.#octets[this.#have++] = chunk[at++]!
    return at
  }

  /** The next one begins. */
  next (): void {
    this.#have = 0
  }

  /** What is wrong with the frame that a whole head begins. */
  judge (): Violation | undefined {
    const first = this.#octets[0]!
    const second = this.#octets[1]!
    this.final = first >= 0x80
    this.opcode = first & 0x0f
    this.compressed = (first & firstReservedBit) !== 0
    if (!this.#mayReserve(first & 0x70)) return broken(this.#rules.extended === 'deflate' ? 'a reserved bit that means nothing' : 'a reserved bit without an extension')
    if (second >= 0x80 !== this.#rules.masked) return broken(this.#rules.masked ? 'a frame of a client without a mask' : 'a frame of a server with a mask')
    const length = this.#lengthOf(second & 0x7f)
    if (length === undefined) return broken('a length in more octets than it needs, or in more than there are')
    this.length = length
    return this.opcode >= opcodes.close ? this.#judgeControl(length) : this.#judgeData()
  }

  #mayReserve (bits: number): boolean {
    const { extended } = this.#rules
    if (bits === 0 || extended === true) return true
    return extended === 'deflate' && bits === firstReservedBit && (this.opcode === opcodes.text || this.opcode === opcodes.binary)
  }

  /** The shortest form is the only one (RFC 6455 section 5.2). */
  #lengthOf (short: number): number | undefined {
    if (short < 126) return short
    if (short === 126) {
      const length = this.#octets.readUInt16BE(2)
      return length < 126 ? undefined : length
    }
    const high = this.#octets.readUInt32BE(2)
    const length = high * 2 ** 32 + this.#octets.readUInt32BE(6)
    return length < 2 ** 16 || high >= 2 ** 20 ? undefined : length
  }

  #judgeControl (length: number): Violation | undefined {
    if (this.opcode > opcodes.pong) return broken('a frame of a kind that nobody defined')
    if (!this.final) return broken('a control frame in fragments')
    if (length > longestControl) return broken('a control frame of more than 125 octets')
    if (this.opcode === opcodes.close && length === 1) return broken('half a status code')
    return undefined
  }

  #judgeData (): Violation | undefined {
    if (this.opcode > opcodes.binary) return broken('a frame of a kind that nobody defined')
    const first = this.opcode !== opcodes.continuation
    if (first === this.inMessage) return broken(first ? 'a message inside of another one' : 'a fragment of no message')
    this.inMessage = !this.final
    return undefined
  }
}

export function broken (detail: string): Violation {
  return { code: 1002, detail }
}

export function tooLong (maxMessageBytes: number): Violation {
  return { code: 1009, detail: `a message of more than ${maxMessageBytes} bytes` }
}
