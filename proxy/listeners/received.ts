import { earlyFault } from '../http1/body-decoder.ts'
import { isTokenCode } from '../http1/characters.ts'
import { cr, lf } from '../http1/fields.ts'
import { HeldBytes } from '../http1/held-bytes.ts'

/** Why what was received cannot become a request; `detail` is for the log. */
export interface HeadFault {
  readonly code: 'BAD_REQUEST' | 'HEAD_TOO_LARGE' | 'URI_TOO_LONG'
  readonly detail: string
}

const headEnd = '\r\n\r\n'
const nothing: Buffer = Buffer.alloc(0)
const textBytes = 2048

/** What a client sent and no request has taken yet. Heads are found in it; what stands behind them stays. */
export class Received {
  /** May change while some of a head is there. */
  maxHeadBytes: number
  readonly #held = new HeldBytes()
  /** So much of it was looked through for the end of a head. */
  #searched = 0

  constructor (maxHeadBytes: number) {
    this.maxHeadBytes = maxHeadBytes
  }

  get length (): number {
    return this.#held.bytes.length
  }

  /** Nothing of a request: not a byte, or only the empty line that some clients send behind a body. */
  get blank (): boolean {
    const { bytes } = this.#held
    return bytes.length === 0 || bytes[0] === cr && (bytes.length === 1 || bytes.length === 2 && bytes[1] === lf)
  }

  /** A part of a head was seen, and not its end. */
  get headBegan (): boolean {
    return this.#searched > 0
  }

  add (bytes: Buffer): void {
    this.#held.add(bytes)
  }

  /** Takes everything out, for a body. */
  takeAll (): Buffer {
    const { bytes } = this.#held
    this.#become(nothing)
    return bytes
  }

  /** Takes a whole head out, as latin1 text: a character for each octet. `undefined` when its end is not there yet. */
  takeHead (): string | HeadFault | undefined {
    const { bytes } = this.#held
    // One empty line in front of a request is forgiven (RFC 9112 section 2.2), also when only half of it is there.
    const start = bytes[0] === cr && (bytes.length === 1 || bytes[1] === lf) ? 2 : 0
    if (bytes.length <= start) return undefined
    // Looking through text costs less than through bytes, and what is short will be needed as text in any case.
    const text = this.#searched === 0 && bytes.length <= textBytes ? bytes.toString('latin1') : undefined
    const end = text === undefined ? bytes.indexOf(headEnd, Math.max(start, this.#searched - 3), 'latin1') : text.indexOf(headEnd, start)
    const next = end === -1 ? bytes.length : end + headEnd.length
    if (next - start > this.maxHeadBytes) return this.#tooLarge(start)
    if (end === -1) return this.#early(start)
    this.#become(next === bytes.length ? nothing : bytes.subarray(next))
    return text === undefined ? bytes.toString('latin1', start, next) : start === 0 && next === bytes.length ? text : text.slice(start, next)
  }

  #become (bytes: Buffer): void {
    this.#held.become(bytes)
    this.#searched = 0
  }

  #tooLarge (start: number): HeadFault {
    const most = this.maxHeadBytes
    const lineEnd = this.#held.bytes.indexOf(lf, start)
    if (lineEnd === -1 || lineEnd + 1 - start > most) return { code: 'URI_TOO_LONG', detail: `a request line of more than ${most} bytes` }
    return { code: 'HEAD_TOO_LARGE', detail: `more than ${most} bytes of head` }
  }

  /** A peer that speaks something else, or ends its lines in another way, is told at once instead of being waited for. */
  #early (start: number): HeadFault | undefined {
    const { bytes } = this.#held
    if (!isTokenCode(bytes[start]!)) return { code: 'BAD_REQUEST', detail: 'this is not HTTP' }
    // Only what is new, and two octets before it: they may be the first half of something.
    const from = Math.max(start, this.#searched - 2)
    const wrong = earlyFault(bytes.toString('latin1', from), Math.min(1, from - start))
    this.#searched = bytes.length
    return wrong === undefined ? undefined : { code: 'BAD_REQUEST', detail: wrong }
  }
}
