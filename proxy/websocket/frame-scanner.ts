/** Why a frame may not pass: the status code that its sender is told (RFC 6455 section 7.4.1), and a sentence for the log. */
export interface Violation {
  readonly code: 1002 | 1009
  readonly detail: string
}

/** Where in what was scanned it was found: `held` are the octets of the frame's head in front of that. */
export interface Found extends Violation {
  readonly at: number
  readonly held: Buffer
}

export interface ScanRules {
  /** Frames of clients are masked, those of servers are not (RFC 6455 section 5.1). */
  readonly masked: boolean
  /** An extension was agreed on, so that the reserved bits may mean something. */
  readonly extended: boolean
  /** Payload of all fragments of a message together, as it passes; Infinity = no limit. */
  readonly maxMessageBytes: number
}

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const
const longestHeader = 14
const longestControl = 125

/**
 * Follows the frames in bytes that pass by (RFC 6455 section 5.2): it reads their heads and counts over their payloads. A head that came in
 * pieces is held back until it is whole and has been judged: what may not pass has not begun to.
 */
export class FrameScanner {
  /** The end of a Close frame has passed: its sender says nothing more. */
  closed = false
  /** Frames that passed, by their opcode. */
  readonly passed = new Uint32Array(16)
  readonly #rules: ScanRules
  readonly #head = Buffer.alloc(longestHeader)
  #have = 0
  #left = 0
  #opcode = 0
  #final = true
  /** Between the first and the last fragment of a message. */
  #inMessage = false
  #messageBytes = 0

  constructor (rules: ScanRules) {
    this.#rules = rules
  }

  /** What has passed ends between two frames: others may be put there. */
  get atBorder (): boolean {
    return this.#left === 0
  }

  /** Reads on from `at`, adds what may pass to `out`, and gives where it stopped: at the end, or behind the next frame. */
  scan (chunk: Buffer, at: number, out: Buffer[], oneFrame: boolean): number | Found {
    const from = at
    while (at < chunk.length && !this.closed) {
      if (this.#left === 0) {
        const start = at
        const before = this.#have
        at = this.#gather(chunk, at)
        const wrong = this.#whole() ? this.#judge() : undefined
        if (wrong !== undefined || !this.#whole()) {
          pass(chunk, from, start, out)
          return wrong === undefined ? at : { ...wrong, at, held: Buffer.from(this.#head.subarray(0, this.#have)) }
        }
        // A head of which a part was held back: it stands at the beginning of what is read now.
        if (before > 0) out.push(Buffer.from(this.#head.subarray(0, before)))
        this.#have = 0
      } else {
        const taken = Math.min(this.#left, chunk.length - at)
        at += taken
        this.#left -= taken
      }
      if (this.#left > 0) continue
      if (this.#opcode === opcodes.close) this.closed = true
      if (oneFrame) break
    }
    pass(chunk, from, at, out)
    return this.closed ? chunk.length : at
  }

  #gather (chunk: Buffer, at: number): number {
    while (at < chunk.length && !this.#whole()) this.#head[this.#have++] = chunk[at++]!
    return at
  }

  #whole (): boolean {
    if (this.#have < 2) return false
    const second = this.#head[1]!
    const length = second & 0x7f
    return this.#have >= 2 + (length === 126 ? 2 : length === 127 ? 8 : 0) + (second >= 0x80 ? 4 : 0)
  }

  #judge (): Violation | undefined {
    const first = this.#head[0]!
    const second = this.#head[1]!
    this.#final = first >= 0x80
    this.#opcode = first & 0x0f
    if ((first & 0x70) !== 0 && !this.#rules.extended) return broken('a reserved bit without an extension')
    if (second >= 0x80 !== this.#rules.masked) return broken(this.#rules.masked ? 'a frame of a client without a mask' : 'a frame of a server with a mask')
    const length = this.#length(second & 0x7f)
    if (length === undefined) return broken('a length in more octets than it needs, or in more than there are')
    const wrong = this.#opcode >= opcodes.close ? this.#judgeControl(length) : this.#judgeData(length)
    if (wrong !== undefined) return wrong
    this.#left = length
    this.passed[this.#opcode]!++
    return undefined
  }

  /** The shortest form is the only one (RFC 6455 section 5.2). */
  #length (short: number): number | undefined {
    if (short < 126) return short
    if (short === 126) {
      const length = this.#head.readUInt16BE(2)
      return length < 126 ? undefined : length
    }
    const high = this.#head.readUInt32BE(2)
    const length = high * 2 ** 32 + this.#head.readUInt32BE(6)
    return length < 2 ** 16 || high >= 2 ** 20 ? undefined : length
  }

  #judgeControl (length: number): Violation | undefined {
    if (this.#opcode > opcodes.pong) return broken('a frame of a kind that nobody defined')
    if (!this.#final) return broken('a control frame in fragments')
    if (length > longestControl) return broken('a control frame of more than 125 octets')
    if (this.#opcode === opcodes.close && length === 1) return broken('half a status code')
    return undefined
  }

  #judgeData (length: number): Violation | undefined {
    if (this.#opcode > opcodes.binary) return broken('a frame of a kind that nobody defined')
    const first = this.#opcode !== opcodes.continuation
    if (first === this.#inMessage) return broken(first ? 'a message inside of another one' : 'a fragment of no message')
    this.#inMessage = !this.#final
    this.#messageBytes = (first ? 0 : this.#messageBytes) + length
    const { maxMessageBytes } = this.#rules
    return this.#messageBytes > maxMessageBytes ? { code: 1009, detail: `a message of more than ${maxMessageBytes} bytes` } : undefined
  }
}

function broken (detail: string): Violation {
  return { code: 1002, detail }
}

function pass (chunk: Buffer, from: number, to: number, out: Buffer[]): void {
  if (to > from) out.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
}
