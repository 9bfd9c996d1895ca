import type { ChunkAnswer as WireChunkAnswer } from '../proto/codec/index.ts'
import { bytesOf, checkExtras, type Extras } from './decision.ts'

/** What an answer about a message may carry. */
export type MessageExtras = Pick<Extras, 'attributes' | 'audit'>

/**
 * What becomes of a chunk of a streamed body, or of a message of a WebSocket. Made by `pass`, `replace`, `hold`, `drop` and `passButTail`; a
 * message cannot be held.
 */
export class ChunkAnswer {
  /** @internal What goes to the proxy. */
  readonly wire: WireChunkAnswer
  /** @internal What replaces was given as text: a message is one of text then. */
  readonly isText: boolean
  /** What is attached to it. */
  readonly extras: MessageExtras

  /** @internal */
  constructor (wire: WireChunkAnswer, isText = false, extras: MessageExtras = {}) {
    this.wire = wire
    this.isText = isText
    this.extras = extras
  }

  /** The same answer with attributes or audit attached; only about messages of WebSockets. */
  with (extras: MessageExtras): ChunkAnswer {
    checkExtras(extras)
    return new ChunkAnswer(this.wire, this.isText, { ...this.extras, ...extras })
  }
}

const passed = new ChunkAnswer({ kind: 'pass', value: {} })
const held = new ChunkAnswer({ kind: 'hold', value: {} })
const dropped = new ChunkAnswer({ kind: 'drop', value: {} })

/** Send the chunk on, after anything held; of a WebSocket, the message. */
export function pass (): ChunkAnswer {
  return passed
}

/** Send these bytes instead of the chunk and of anything held; instead of a message of a WebSocket, one of text or one of bytes. */
export function replace (bytes: string | Uint8Array): ChunkAnswer {
  return new ChunkAnswer({ kind: 'replace', value: bytesOf(bytes) }, typeof bytes === 'string')
}

/** Keep the chunk back until a later answer. */
export function hold (): ChunkAnswer {
  return held
}

/** Throw the chunk away, and anything held; of a WebSocket, the message. */
export function drop (): ChunkAnswer {
  return dropped
}

/** Send everything but the last `tail` bytes, which stay held: a pattern of `tail + 1` bytes cannot hide on a border. */
export function passButTail (tail: number): ChunkAnswer {
  if (!Number.isInteger(tail) || tail < 0 || tail > 0xffffffff) throw new RangeError(`a tail is a number of bytes, not ${tail}`)
  return new ChunkAnswer({ kind: 'pass_but_tail', value: tail })
}

/** A piece of a body that is streamed. */
export interface Chunk {
  /** The data itself; not to be changed. */
  readonly bytes: Uint8Array
  /** No more data follows. The last chunk may be empty. */
  readonly end: boolean
}
