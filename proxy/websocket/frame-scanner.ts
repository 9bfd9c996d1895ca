import { FrameHead, opcodes, tooLong, type HeadRules, type Violation } from './frame-head.ts'

/** Where in what was scanned it was found: `held` are the octets of the frame's head in front of that. */
export interface Found extends Violation {
  readonly at: number
  readonly held: Buffer
}

export interface ScanRules extends HeadRules {
  /** Payload of all fragments of a message together, as it passes; Infinity = no limit. */
  readonly maxMessageBytes: number
}

/**
 * Follows the frames in bytes that pass by (RFC 6455 section 5.2): it reads their heads and counts over their payloads. A head that came in
 * pieces is held back until it is whole and has been judged: what may not pass has not begun to.
 */
export class FrameScanner {
  /** The end of a Close frame has passed: its sender says nothing more. */
  closed = false
  /** Frames that passed, by their opcode. */
  readonly passed = new Uint32Array(16)
  readonly #maxMessageBytes: number
  readonly #head: FrameHead
  #left = 0
  #messageBytes = 0

  constructor (rules: ScanRules) {
    this.#maxMessageBytes = rules.maxMessageBytes
    this.#head = new FrameHead(rules)
  }

  /** What has passed ends between two frames: others may be put there. */
  get atBorder (): boolean {
    return this.#left === 0
  }

  /** Reads on from `at`, adds what may pass to `out`, and gives where it stopped: at the end, or behind the next frame. */
  scan (chunk: Buffer, at: number, out: Buffer[], oneFrame: boolean): number | Found {
    const head = this.#head
    const from = at
    while (at < chunk.length && !this.closed) {
      if (this.#left === 0) {
        const start = at
        const before = head.have
        at = head.gather(chunk, at)
        const wrong = head.whole ? this.#judge() : undefined
        if (wrong !== undefined || !head.whole) {
          pass(chunk, from, start, out)
          return wrong === undefined ? at : { ...wrong, at, held: head.copy() }
        }
        // A head of which a part was held back: it stands at the beginning of what is read now.
        if (before > 0) out.push(head.copy(before))
        head.next()
      } else {
        const taken = Math.min(this.#left, chunk.length - at)
        at += taken
        this.#left -= taken
      }
      if (this.#left > 0) continue
      if (head.opcode === opcodes.close) this.closed = true
      if (oneFrame) break
    }
    pass(chunk, from, at, out)
    return this.closed ? chunk.length : at
  }

  #judge (): Violation | undefined {
    const head = this.#head
    const wrong = head.judge() ?? this.#measure()
    if (wrong !== undefined) return wrong
    this.#left = head.length
    this.passed[head.opcode]!++
    return undefined
  }

  #measure (): Violation | undefined {
    const { opcode, length } = this.#head
    if (opcode >= opcodes.close) return undefined
    this.#messageBytes = (opcode === opcodes.continuation ? this.#messageBytes : 0) + length
    return this.#messageBytes > this.#maxMessageBytes ? tooLong(this.#maxMessageBytes) : undefined
  }
}

function pass (chunk: Buffer, from: number, to: number, out: Buffer[]): void {
  if (to > from) out.push(from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to))
}
