import { isValueCode } from './characters.ts'
import { cr, lf, Malformed, readFields } from './fields.ts'

/** Takes the framing off a body, whatever pieces it comes in. */
export interface BodyDecoder {
  /** The end of the body was seen: the next octet belongs to the next message. */
  readonly complete: boolean
  /** Field lines after the body, `[name, value, …]`. */
  readonly trailers: string[]
  /** Octets still to come; `undefined` when the sender did not say. */
  readonly outstanding: number | undefined
  /** Reads `bytes` from `at`, adds what is content to `out`, and gives where it stopped: at the end of `bytes` or of the body. */
  decode (bytes: Buffer, at: number, out: Buffer[]): number | Malformed
}

const noTrailers: string[] = []

/** A body of so many octets (RFC 9112 section 6.2). */
export class LengthDecoder implements BodyDecoder {
  readonly trailers = noTrailers
  outstanding: number

  constructor (length: number) {
    this.outstanding = length
  }

  get complete (): boolean {
    return this.outstanding === 0
  }

  decode (bytes: Buffer, at: number, out: Buffer[]): number {
    const end = Math.min(bytes.length, at + this.outstanding)
    if (end > at) out.push(at === 0 && end === bytes.length ? bytes : bytes.subarray(at, end))
    this.outstanding -= end - at
    return end
  }
}

/** Chunk sizes are hexadecimal numbers of at most so many digits: 2^52 is more than anybody sends, and exact. */
const mostDigits = 13
/** Extensions are allowed and mean nothing to us: what they may cost is bounded for each chunk, and for all of a body. */
const mostExtension = 1024
const mostExtensions = 16 * 1024

/** RFC 9112 section 7.1.1, without the white space that nobody sends. */
const extensionForm = /^(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+|"(?:[\t !#-[\]-~]|\\[\t -~])*"))?)+$/

/** Chunks below this many octets are copied. */
const smallChunk = 64

const state = { size: 0, extension: 1, sizeLf: 2, data: 3, dataCr: 4, dataLf: 5, trailer: 6, done: 7 } as const

/** Behind the body these can only be an attempt to have somebody read the connection in another way. */
const steersFraming: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding', 'connection', 'upgrade', 'host'])

export interface ChunkedLimits {
  readonly maxTrailerBytes: number
  readonly maxTrailerFields: number
}

/** RFC 9112 section 7.1, strictly: CRLF only, no space around the size, extensions of visible characters. */
export class ChunkedDecoder implements BodyDecoder {
  readonly trailers: string[] = []
  readonly outstanding = undefined
  readonly #limits: ChunkedLimits
  #state: number = state.size
  #left = 0
  #digits = 0
  #extension = ''
  #extensions = 0
  #trailer = ''
  /** Its last three octets: the end may have begun there. */
  #tail = ''

  constructor (limits: ChunkedLimits) {
    this.#limits = limits
  }

  get complete (): boolean {
    return this.#state === state.done
  }

  decode (bytes: Buffer, at: number, out: Buffer[]): number | Malformed {
    // Small chunks in a row become one piece: an object for each octet would cost a hundred times the octet. All share one copy: memory for each
    // row would be as long as all that came, and be held as long as the octet in it.
    let copies: Buffer | undefined
    let from = 0
    let used = 0
    while (at < bytes.length && this.#state !== state.done) {
      if (this.#state === state.data) {
        const end = Math.min(bytes.length, at + this.#left)
        if (end - at < smallChunk) {
          copies ??= Buffer.allocUnsafe(bytes.length - at)
          for (let octet = at; octet < end; octet++) copies[used++] = bytes[octet]!
        } else {
          if (used > from) out.push(copies!.subarray(from, used))
          from = used
          out.push(bytes.subarray(at, end))
        }
        this.#left -= end - at
        at = end
        if (this.#left === 0) this.#state = state.dataCr
      } else if (this.#state === state.trailer) {
        const end = this.#readTrailer(bytes, at)
        if (end instanceof Malformed) return end
        at = end
      } else {
        const wrong = this.#step(bytes[at]!)
        if (wrong !== undefined) return new Malformed(wrong)
        at++
      }
    }
    if (used > from) out.push(copies!.subarray(from, used))
    return at
  }

  #step (code: number): string | undefined {
    switch (this.#state) {
      case state.size: return this.#sizeOctet(code)
      case state.extension:
        if (code === cr) {
          this.#state = state.sizeLf
          return extensionForm.test(this.#extension) ? undefined : 'a chunk extension that is not one'
        }
        if (!isValueCode(code) || code > 0x7e) return 'a character in a chunk extension that may not be there'
        if (this.#extension.length >= mostExtension || ++this.#extensions > mostExtensions) return 'chunk extensions that are too long'
        this.#extension += String.fromCharCode(code)
        return undefined
      case state.sizeLf:
        if (code !== lf) return 'a bare CR behind a chunk size'
        this.#state = this.#left === 0 ? state.trailer : state.data
        return undefined
      case state.dataCr:
        if (code !== cr) return 'a chunk longer than its size'
        this.#state = state.dataLf
        return undefined
      default:
        if (code !== lf) return 'a bare CR behind a chunk'
        this.#state = state.size
        this.#digits = 0
        this.#extension = ''
        return undefined
    }
  }

  #sizeOctet (code: number): string | undefined {
    const digit = code >= 0x30 && code <= 0x39 ? code - 0x30 : (code | 0x20) >= 0x61 && (code | 0x20) <= 0x66 ? (code | 0x20) - 0x57 : -1
    if (digit >= 0) {
      if (++this.#digits > mostDigits) return 'a chunk size with too many digits'
      this.#left = (this.#digits === 1 ? 0 : this.#left * 16) + digit
      return undefined
    }
    if (this.#digits === 0) return 'a chunk without a size'
    if (code === cr) this.#state = state.sizeLf
    else if (code === 0x3b) {
      this.#state = state.extension
      this.#extension = ';'
    }
    else return 'a chunk size that is no hexadecimal number'
    return undefined
  }

  /** Gathers the trailer section to its empty line, then reads it at once. What came before is not looked at again. */
  #readTrailer (bytes: Buffer, at: number): number | Malformed {
    const held = this.#trailer.length
    const room = this.#limits.maxTrailerBytes - held
    const piece = bytes.toString('latin1', at, Math.min(bytes.length, at + room + 4))
    const text = this.#tail + piece
    // Without trailer fields the empty line comes first.
    const end = held < 2 && text.startsWith('\r\n') ? 2 : endOfFields(text)
    if (end === -1) {
      if (held + piece.length > this.#limits.maxTrailerBytes) return new Malformed('a trailer section that is too large', true)
      const early = earlyFault(text, Math.max(0, this.#tail.length - 1))
      if (early !== undefined) return new Malformed(early)
      this.#trailer += piece
      this.#tail = text.slice(-3)
      return bytes.length
    }
    const read = readFields(this.#trailer + piece, 0, this.trailers, this.#limits.maxTrailerFields)
    if (read instanceof Malformed) return read
    for (let index = 0; index < this.trailers.length; index += 2) {
      if (steersFraming.has(this.trailers[index]!.toLowerCase())) return new Malformed('a trailer field that steers the connection')
    }
    this.#state = state.done
    this.#trailer = ''
    return at + read - held
  }
}

/** Offset behind the empty line that ends field lines, -1 when it is not there yet. */
function endOfFields (text: string): number {
  const at = text.indexOf('\r\n\r\n')
  return at === -1 ? -1 : at + 4
}

/** What can be said of lines that are not complete, from `from` on: a peer that ends them wrongly would wait for an answer otherwise. */
export function earlyFault (text: string, from: number): string | undefined {
  for (let at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) if (text.charCodeAt(at - 1) !== cr) return 'a bare LF'
  for (let at = text.indexOf('\r', from); at >= 0; at = text.indexOf('\r', at + 1)) if (at + 1 < text.length && text.charCodeAt(at + 1) !== lf) return 'a bare CR'
  return undefined
}
