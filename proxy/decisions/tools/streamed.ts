import type { Edit } from './edits.ts'
import type { Found, Outcome } from './found.ts'
import { textOf, Unreadable, type Json, type JsonObject } from './json.ts'
import type { ServerEvent } from './server-events.ts'

/** An event on its way through, with what is to become of it. */
export interface Passing {
  readonly event: ServerEvent
  /** Its data, read. */
  readonly text: string
  root: JsonObject | undefined
  readonly edits: Edit[]
  dropped: boolean
  /** Whole events that go out behind it. */
  readonly behind: string[]
}

/** A call of which every piece has come. */
export interface StreamedCall {
  readonly found: Found
  /** Says with the events that are held what was decided about it. */
  settle (outcome: Outcome | undefined): void
}

/** Puts calls together that come in pieces, in the way of one API. */
export interface Assembler {
  /** Some call has begun and is not complete: whatever comes is held. */
  readonly holding: boolean
  /** Looks at the next event; gives the calls that are complete with it. */
  see (passing: Passing): StreamedCall[]
  /** Nothing more comes. */
  end (): StreamedCall[]
}

/** Pieces of a text; the number of characters of all of them is that of the stream, which is bounded where it is held. */
export function addText (text: string, pieces: string[], value: Json | undefined): void {
  if (value === undefined || value.kind === 'null') return
  if (value.kind !== 'string') throw new Unreadable('a piece of the arguments of a call is no text')
  pieces.push(textOf(text, value))
}

/** An event of the stream that the proxy makes. */
export function eventText (type: string | undefined, data: Readonly<Record<string, unknown>>): string {
  return `${type === undefined ? '' : `event: ${type}\n`}data: ${JSON.stringify(data)}\n\n`
}
