import { Unreadable, utf8 } from './json.ts'

/** One event of an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation). */
export interface ServerEvent {
  /** As it came, with the blank line behind it. */
  readonly raw: Buffer
  /** Lines that are no data, with their ends, in a form that all readers take for the same. */
  readonly about: string
  /** `undefined`: it has none (a comment, a change of the id). */
  readonly data: string | undefined
  /** Not every reader finds the same lines in it: it goes on in a plain form. */
  readonly odd: boolean
  /** Why it cannot be read. */
  readonly problem: string | undefined
}

const cr = 0x0d
const lf = 0x0a

/** Cuts an event stream into its events, whatever the chunks and the ends of lines are. */
export class EventSplitter {
  #parts: Buffer[] = []
  /** Of the event that is not complete yet. */
  bytes = 0
  #lineIsEmpty = true
  /** The last byte was a CR: whether the line ends with it, the next byte tells. */
  #afterCr = false
  #isFirst = true

  /** What came behind the last blank line: many readers take it for an event. */
  end (): ServerEvent | undefined {
    return this.bytes === 0 ? undefined : this.#event(Buffer.alloc(0))
  }

  * push (chunk: Buffer): IterableIterator<ServerEvent> {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]
      const afterCr = this.#afterCr
      this.#afterCr = byte === cr
      // A line ends behind its LF, or before what follows a CR that has none.
      const end = byte === lf ? at + 1 : afterCr ? at : -1
      if (end >= 0) {
        if (this.#lineIsEmpty) {
          yield this.#event(chunk.subarray(from, end))
          from = end
        }
        this.#lineIsEmpty = true
      }
      if (byte !== lf && byte !== cr) this.#lineIsEmpty = false
    }
    this.#keep(chunk.subarray(from))
  }

  /** The events of a stream that is all there. */
  * all (stream: Buffer): IterableIterator<ServerEvent> {
    yield * this.push(stream)
    const last = this.end()
    if (last !== undefined) yield last
  }

  /** The bytes of the event that is not complete, for somebody who does not look at events any more. */
  rest (): Buffer[] {
    const parts = this.#parts
    this.#parts = []
    this.bytes = 0
    return parts
  }

  #keep (part: Buffer): void {
    if (part.length === 0) return
    this.#parts.push(part)
    this.bytes += part.length
  }

  #event (last: Buffer): ServerEvent {
    this.#keep(last)
    const { bytes } = this
    const parts = this.rest()
    const raw = parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes)
    const isFirst = this.#isFirst
    this.#isFirst = false
    try {
      const text = utf8(raw)
      return parsed(raw, text, isFirst && text.startsWith('\ufeff') ? 'the stream begins with a mark that not every reader skips' : undefined)
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error
      return { raw, about: '', data: undefined, odd: false, problem: error.message }
    }
  }
}

function parsed (raw: Buffer, text: string, problem: string | undefined): ServerEvent {
  const data: string[] = []
  let about = ''
  for (const line of text.split(/\r\n|\n|\r/)) {
    const colon = line.indexOf(':')
    const name = colon < 0 ? line : line.slice(0, colon)
    if (line === '') continue
    if (name !== 'data') {
      about += `${line}\n`
      continue
    }
    const value = colon < 0 ? '' : line.slice(colon + 1)
    data.push(value.startsWith(' ') ? value.slice(1) : value)
  }
  return { raw, about, problem, data: data.length === 0 ? undefined : data.join('\n'), odd: data.length > 1 || /\r(?!\n)/.test(text) }
}

/** The event with other data, in the form that every reader takes. `data` has no line ends but those between values. */
export function withData ({ about }: Pick<ServerEvent, 'about'>, data: string): Buffer {
  return Buffer.from(`${about}${data.split(/\r\n|\n|\r/).map((line) => `data: ${line}\n`).join('')}\n`)
}
