import type { ChunkAnswer as WireChunkAnswer } from '../proto/codec/index.ts'
import { bytesOf } from './decision.ts'

/** What becomes of a chunk of a streamed body. Made by `pass`, `replace`, `hold`, `drop` and `passButTail`. */
export class ChunkAnswer {
  /** @internal What goes to the proxy. */
  readonly wire: WireChunkAnswer

  /** @internal */
  constructor (wire: WireChunkAnswer) {
    this.wire = wire
  }
}

const passed = new ChunkAnswer({ kind: 'pass', value: {} })
const held = new ChunkAnswer({ kind: 'hold', value: {} })
const dropped = new ChunkAnswer({ kind: 'drop', value: {} })

/** Send the chunk on, after anything held. */
export function pass (): ChunkAnswer {
  return passed
}

/** Send these bytes instead of the chunk and of anything held. */
export function replace (bytes: string | Uint8Array): ChunkAnswer {
  return new ChunkAnswer({ kind: 'replace', value: bytesOf(bytes) })
}

/** Keep the chunk back until a later answer. */
export function hold (): ChunkAnswer {
  return held
}

/** Throw the chunk away, and anything held. */
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
