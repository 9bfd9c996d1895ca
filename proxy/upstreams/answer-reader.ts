import { ChunkedDecoder, earlyFault, LengthDecoder, type BodyDecoder } from '../http1/body-decoder.ts'
import { Malformed, readFields } from '../http1/fields.ts'
import { HeldBytes } from '../http1/held-bytes.ts'
import { mayBeStatusLine, readStatusLine } from '../http1/status-line.ts'
import { HeaderList } from '../pipeline/headers.ts'
import { readResponseHead, type ResponseHead } from './response-head.ts'

export interface AnswerEvents {
  /** An interim answer (1xx). */
  interim (status: number, headers: HeaderList): void
  head (status: number, head: ResponseHead, hasBody: boolean): void
  /** The connection is what was asked for from here on. A text when it is not. */
  switched (head: ResponseHead): string | undefined
  piece (bytes: Buffer): void
}

export const maxHeadBytes = 64 * 1024
export const maxHeadFields = 200
/** Interim answers before the one that counts. */
export const maxInterim = 32

const headEnd = '\r\n\r\n'
/** So many octets tell whether it is HTTP. */
const wordLength = 16
const bodyLimits = { maxTrailerBytes: maxHeadBytes, maxTrailerFields: maxHeadFields }

/** Reads the answer to one request (RFC 9112 sections 4 to 7), whatever pieces it comes in. */
export class AnswerReader {
  /** The end of the answer was seen. */
  complete = false
  /** The target said, or gave to understand, that more can be asked on this connection. */
  persistent = false
  /** See `ResponseHead`. */
  keepAliveMs: number | undefined = undefined
  readonly #method: string
  readonly #events: AnswerEvents
  readonly #held = new HeldBytes()
  /** So much of it was looked through for the end of a head. */
  #searched = 0
  #interims = 0
  #state: 'head' | 'decoded' | 'until-end' | 'switched' = 'head'
  #decoder: BodyDecoder | undefined = undefined

  constructor (method: string, events: AnswerEvents) {
    this.#method = method
    this.#events = events
  }

  /** Field lines behind the body, `[name, value, …]`. */
  get trailers (): readonly string[] {
    return this.#decoder?.trailers ?? []
  }

  /** Gives where the answer ended: at the end of `bytes` when there is more to come, or nothing behind it. */
  push (bytes: Buffer): number | Malformed {
    let at = 0
    while (this.#state === 'head') {
      const end = this.#readHead(bytes, at)
      if (end instanceof Malformed) return end
      at = end
      if (this.complete || at === bytes.length) return at
    }
    return this.#readBody(bytes, at)
  }

  /** The connection ended: whether that made the answer whole. */
  end (): boolean {
    if (this.#state === 'until-end') this.complete = true
    return this.complete
  }

  /** Gives the offset behind the head, or the end of `bytes` when it is not whole yet. */
  #readHead (bytes: Buffer, at: number): number | Malformed {
    const held = this.#held.bytes.length
    if (held > 0) this.#held.add(at === 0 ? bytes : bytes.subarray(at))
    const all = held > 0 ? this.#held.bytes : bytes
    const start = held > 0 ? 0 : at
    const found = all.indexOf(headEnd, Math.max(start, start + this.#searched - 3), 'latin1')
    const end = found === -1 ? all.length : found + headEnd.length
    if (end - start > maxHeadBytes) return new Malformed(`a head of more than ${maxHeadBytes} bytes`, true)
    if (found === -1) {
      const early = this.#early(all, start)
      if (early !== undefined) return new Malformed(early)
      // What was received is overwritten by what comes next.
      if (held === 0) this.#held.become(Buffer.from(all.subarray(start)))
      return bytes.length
    }
    const text = all.toString('latin1', start, end)
    this.#held.clear()
    this.#searched = 0
    return this.#take(text) ?? (held > 0 ? at + end - held : end)
  }

  /** What can be said of a head that is not whole. Only what is new is looked at, and two octets before it: they may be the first half of something. */
  #early (all: Buffer, start: number): string | undefined {
    if (this.#searched < wordLength && !mayBeStatusLine(all.toString('latin1', start, start + wordLength))) return 'this is not HTTP'
    const from = start + Math.max(0, this.#searched - 2)
    this.#searched = all.length - start
    return earlyFault(all.toString('latin1', from), Math.min(1, from - start))
  }

  #take (text: string): Malformed | undefined {
    const line = readStatusLine(text, 0)
    if (line instanceof Malformed) return line
    const fields: string[] = []
    const end = readFields(text, line.end, fields, maxHeadFields)
    if (end instanceof Malformed) return end
    const head = readResponseHead(fields, line.version)
    if (typeof head === 'string') return new Malformed(head)
    const { status } = line
    if (status === 101) return this.#switch(head)
    if (status < 200) {
      // They have no body (RFC 9112 section 6.1), and some readers would look for one.
      if (head.chunked || (head.length ?? 0) > 0) return new Malformed('an interim answer with a body')
      // Nothing may follow the end of a connection, and an answer must.
      if (!head.persistent) return new Malformed('an interim answer that ends the connection')
      if (++this.#interims > maxInterim) return new Malformed(`more than ${maxInterim} interim answers`, true)
      this.#events.interim(status, head.headers)
      return undefined
    }
    this.#begin(status, head)
    return undefined
  }

  /** RFC 9110 section 15.2.2. What follows is in another protocol. */
  #switch (head: ResponseHead): Malformed | undefined {
    if (head.chunked || (head.length ?? 0) > 0) return new Malformed('a switch of protocols with a body')
    const wrong = this.#events.switched(head)
    if (wrong !== undefined) return new Malformed(wrong)
    this.#state = 'switched'
    return undefined
  }

  /** RFC 9112 section 6.3. */
  #begin (status: number, head: ResponseHead): void {
    const hasBody = this.#method !== 'HEAD' && status !== 204 && status !== 304 && head.length !== 0
    // What has no body and says that it has one may be followed by it, which would be read as the next answer.
    this.persistent = head.persistent && !(status === 204 && (head.chunked || head.length !== undefined && head.length > 0))
    this.keepAliveMs = head.keepAliveMs
    this.#state = 'decoded'
    if (!hasBody) {
      this.complete = true
    } else if (head.chunked) {
      this.#decoder = new ChunkedDecoder(bodyLimits)
    } else if (head.length !== undefined) {
      this.#decoder = new LengthDecoder(head.length)
    } else {
      this.#state = 'until-end'
      this.persistent = false
    }
    this.#events.head(status, head, hasBody)
  }

  #readBody (bytes: Buffer, at: number): number | Malformed {
    const decoder = this.#decoder
    if (decoder === undefined) {
      if (this.#state !== 'until-end') return at
      if (at < bytes.length) this.#events.piece(at === 0 ? bytes : bytes.subarray(at))
      return bytes.length
    }
    const pieces: Buffer[] = []
    const end = decoder.decode(bytes, at, pieces)
    for (const piece of pieces) this.#events.piece(piece)
    if (!(end instanceof Malformed) && decoder.complete) this.complete = true
    return end
  }
}
