import type { HeadProblem } from './contract.ts'
import type { FrameReader } from './frame-reader.ts'
import { HpackDecoder, type DecodedBlock, type HeadLimits } from './hpack-decoder.ts'
import { errorCode, flag } from './protocol.ts'

/** What every sender begins with (RFC 9113 section 6.5.2), and more than we need to keep of one. */
const tableBytes = 4096

/** Frames that one head may come in; what senders cut at 16 KiB needs a handful. */
const maxFrames = 16

export interface ReceivedHead {
  readonly stream: number
  readonly ended: boolean
  /** It says of itself that it depends on itself. */
  readonly selfDependent: boolean
  readonly block: DecodedBlock
}

export interface ConnectionError {
  readonly code: number
  readonly detail: string
}

type Result = ReceivedHead | ConnectionError | undefined

/** Puts heads together out of HEADERS and CONTINUATION frames (RFC 9113 section 6.2 and 6.10). Nothing may come in between. */
export class HeadReader {
  /** The stream whose head has begun and not ended. */
  openStream: number | undefined = undefined
  /** Since when one has; Infinity when none has. */
  beganSinceMs = Infinity
  readonly #decoder: HpackDecoder
  readonly #maxBlockBytes: number
  #ended = false
  #selfDependent = false
  #pieces: Buffer[] = []
  #bytes = 0

  constructor (limits: HeadLimits) {
    this.#decoder = new HpackDecoder(tableBytes, limits)
    // Coded, heads are rarely larger than they are; what is a little too large is read to its end, and gets an answer.
    this.#maxBlockBytes = Math.max(64 * 1024, limits.maxBytes * 2)
  }

  /** A HEADERS frame without its padding. `undefined` when more of the head follows. */
  headers (frame: FrameReader): Result {
    this.#ended = (frame.flags & flag.endStream) !== 0
    this.#selfDependent = false
    if ((frame.flags & flag.priority) !== 0) {
      if (frame.end - frame.start < 5) return { code: errorCode.frameSizeError, detail: 'HEADERS without the priority they speak of' }
      this.#selfDependent = dependencyAt(frame) === frame.stream
      frame.start += 5
    }
    if ((frame.flags & flag.endHeaders) !== 0) return this.#decode(frame.stream, frame.bytes, frame.start, frame.end)
    this.openStream = frame.stream
    this.beganSinceMs = performance.now()
    return this.#keep(frame)
  }

  continuation (frame: FrameReader): Result {
    if (this.openStream === undefined) return { code: errorCode.protocolError, detail: 'CONTINUATION without a head' }
    const error = this.#keep(frame)
    if (error !== undefined || (frame.flags & flag.endHeaders) === 0) return error
    const whole = Buffer.concat(this.#pieces)
    this.clear()
    return this.#decode(frame.stream, whole, 0, whole.length)
  }

  clear (): void {
    this.openStream = undefined
    this.beganSinceMs = Infinity
    this.#pieces = []
    this.#bytes = 0
  }

  #keep ({ bytes, start, end }: FrameReader): ConnectionError | undefined {
    this.#bytes += end - start
    if (this.#bytes > this.#maxBlockBytes || this.#pieces.length === maxFrames) {
      return { code: errorCode.enhanceYourCalm, detail: 'a head of too many bytes or frames' }
    }
    this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
    return undefined
  }

  /** Also heads that nobody will see: the table must stay the one of the other side. */
  #decode (stream: number, bytes: Buffer, start: number, end: number): Result {
    const block = this.#decoder.decode(bytes, start, end)
    if (typeof block === 'string') return { code: errorCode.compressionError, detail: block }
    return { stream, ended: this.#ended, selfDependent: this.#selfDependent, block }
  }
}

/** The stream that this one is said to depend on (RFC 9113 section 6.3). Nobody goes by it any more. */
function dependencyAt ({ bytes, start }: FrameReader): number {
  return bytes.readUInt32BE(start) & 0x7fff_ffff
}

/** What is wrong with a PRIORITY frame. */
export function priorityFault (frame: FrameReader): ConnectionError | undefined {
  if (frame.length !== 5) return { code: errorCode.frameSizeError, detail: 'PRIORITY of a wrong size' }
  return dependencyAt(frame) === frame.stream ? { code: errorCode.protocolError, detail: 'a stream that depends on itself' } : undefined
}

/** A head in front of the one that counts. */
export function isInterim ([name, value]: readonly string[]): boolean {
  return name === ':status' && value!.length === 3 && value!.startsWith('1')
}

/** Why a head behind a body is none that may stand there. */
export function trailersProblem (block: DecodedBlock, ended: boolean): string | undefined {
  return problemOf(block)?.detail ?? (ended ? undefined : 'a second head') ??
    (block.fields.some((name, at) => at % 2 === 0 && name.startsWith(':')) ? 'a pseudo-field behind the body' : undefined)
}

/** What is in it that a request or answer may not have. */
export function problemOf ({ flaw, excess }: DecodedBlock): HeadProblem | undefined {
  if (flaw !== undefined) return { kind: 'malformed', detail: flaw }
  if (excess === undefined) return undefined
  return excess === 'line' ? { kind: 'line-too-large', detail: 'a path above the limit' } : { kind: 'too-large', detail: 'a head above the limit' }
}
