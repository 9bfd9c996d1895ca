import { broken, FrameHead, opcodes, tooLong, type HeadRules, type Violation } from '../frame-head.ts'
import { GatheredBytes } from './gathered-bytes.ts'
import { isCloseCode, isUtf8 } from './validity.ts'

/** What a sender said, put together from its frames and unmasked. */
export type Said =
  | { readonly kind: 'control', readonly opcode: number, readonly payload: Buffer }
  /** `compressed`: the payload is as it came, packed by its sender (RFC 7692). */
  | { readonly kind: 'message', readonly binary: boolean, readonly compressed: boolean, readonly payload: Buffer }
  | { readonly kind: 'violation', readonly violation: Violation }

/** Fragments of one message: those without a byte would go on for ever. */
const maxFragments = 16 * 1024

/** Puts messages together from the frames in bytes that come in any pieces (RFC 6455 section 5.4). Holds one message at the most. */
export class MessageReader {
  readonly #head: FrameHead
  readonly #masked: boolean
  readonly #maxMessageBytes: number
  #chunk: Buffer = nothing
  #at = 0
  /** A frame's payload is being read: so much of it is left. */
  #left = 0
  #inFrame = false
  #mask: Buffer | undefined = undefined
  readonly #control = new GatheredBytes()
  readonly #message = new GatheredBytes()
  #binary = false
  #compressed = false
  #fragments = 0

  constructor (rules: HeadRules & { readonly maxMessageBytes: number }) {
    this.#head = new FrameHead(rules)
    this.#masked = rules.masked
    this.#maxMessageBytes = rules.maxMessageBytes
  }

  /** More bytes, when the last ones were read to their end. */
  feed (chunk: Buffer): void {
    this.#chunk = chunk
    this.#at = 0
  }

  /** What comes next, or `undefined` when more bytes are needed for it. Nothing is read behind a violation. */
  next (): Said | undefined {
    while (this.#at < this.#chunk.length || this.#inFrame && this.#left === 0) {
      if (!this.#inFrame) {
        const violation = this.#readHead()
        if (violation !== undefined) return { kind: 'violation', violation }
        continue
      }
      this.#readPayload()
      if (this.#left > 0) break
      this.#inFrame = false
      const said = this.#endFrame()
      if (said !== undefined) return said
    }
    this.#chunk = nothing
    this.#at = 0
    return undefined
  }

  #readHead (): Violation | undefined {
    const head = this.#head
    this.#at = head.gather(this.#chunk, this.#at)
    if (!head.whole) return undefined
    const wrong = head.judge() ?? this.#measure()
    if (wrong !== undefined) return wrong
    this.#mask = this.#masked ? head.mask() : undefined
    this.#left = head.length
    this.#inFrame = true
    head.next()
    return undefined
  }

  /** What is too long is known before it has come. */
  #measure (): Violation | undefined {
    const { opcode, length, compressed } = this.#head
    if (opcode >= opcodes.close) return undefined
    if (opcode !== opcodes.continuation) {
      this.#binary = opcode === opcodes.binary
      this.#compressed = compressed
      this.#fragments = 0
    }
    if (++this.#fragments > maxFragments) return { code: 1009, detail: `a message in more than ${maxFragments} fragments` }
    return this.#message.length + length > this.#maxMessageBytes ? tooLong(this.#maxMessageBytes) : undefined
  }

  #readPayload (): void {
    const into = this.#head.opcode >= opcodes.close ? this.#control : this.#message
    const end = Math.min(this.#chunk.length, this.#at + this.#left)
    const offset = this.#head.length - this.#left
    if (end > this.#at) into.add(this.#chunk, this.#at, end, this.#mask, offset)
    this.#left -= end - this.#at
    this.#at = end
  }

  #endFrame (): Said | undefined {
    const { opcode, final } = this.#head
    if (opcode >= opcodes.close) {
      const payload = this.#control.take()
      const violation = opcode === opcodes.close ? closeViolation(payload) : undefined
      return violation === undefined ? { kind: 'control', opcode, payload } : { kind: 'violation', violation }
    }
    return final ? { kind: 'message', binary: this.#binary, compressed: this.#compressed, payload: this.#message.take() } : undefined
  }
}

/** A Close frame has a status code that may be sent, and a reason that can be read (RFC 6455 section 5.5.1), or neither. */
function closeViolation (payload: Buffer): Violation | undefined {
  if (payload.length === 0) return undefined
  const code = payload.readUInt16BE(0)
  if (!isCloseCode(code)) return broken(`the status code ${code}, which no Close frame may have`)
  return isUtf8(payload.subarray(2)) ? undefined : { code: 1007, detail: 'a reason that is not valid UTF-8' }
}

const nothing = Buffer.alloc(0)
