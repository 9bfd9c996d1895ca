import { createReadStream } from 'node:fs'
import { MAX_LINE_BYTES } from './tail.ts'

export interface LinePiece {
  /** Without the newline. */
  readonly bytes: Buffer
  /** False: the line is longer than a record can be, and more of it follows. */
  readonly ends: boolean
  /** A newline came behind it. */
  readonly terminated: boolean
}

/** The lines of a file, in memory one at a time. */
export async function * readLines (file: string): AsyncGenerator<LinePiece> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const block of createReadStream(file, { highWaterMark: 256 * 1024 })) {
    if (!Buffer.isBuffer(block)) throw new TypeError('a stream of bytes gave something else')
    const bytes: Buffer = rest.length === 0 ? block : Buffer.concat([rest, block])
    let start = 0
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
      yield { bytes: bytes.subarray(start, end), ends: true, terminated: true }
      start = end + 1
    }
    rest = bytes.subarray(start)
    if (rest.length > MAX_LINE_BYTES) {
      yield { bytes: rest, ends: false, terminated: false }
      rest = Buffer.alloc(0)
    }
  }
  if (rest.length > 0) yield { bytes: rest, ends: true, terminated: false }
}
