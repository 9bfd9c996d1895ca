import { read } from 'node:fs'
import type { Body } from '../../pipeline/body.ts'
import { Fault } from '../../pipeline/faults.ts'
import { letGo } from './opened.ts'
import type { ByteRange } from './ranges.ts'

const pieceBytes = 64 * 1024

/** Something that is sent: bytes that are there, or a range of the file. */
export type Part = Buffer | ByteRange

/** Parts of an open file, and what stands between them, read when they are asked for. Closes the file at its end. */
export class FileBody implements Body {
  readonly length: number
  readonly trailers = undefined
  readonly #fd: number
  readonly #parts: Part[]
  /** Where the part that is being read goes on. */
  #position = -1
  #spare: Buffer | undefined = undefined
  #reading = false
  #closed = false

  constructor (fd: number, parts: readonly Part[]) {
    this.#fd = fd
    this.#parts = [...parts]
    this.length = parts.reduce((sum, part) => sum + bytesOf(part), 0)
  }

  read (): Buffer | undefined | Promise<Buffer | undefined> {
    const [part] = this.#parts
    if (part === undefined || this.#closed) {
      this.cancel()
      return undefined
    }
    if ('first' in part) return this.#readOf(part)
    this.#parts.shift()
    return part.length === 0 ? this.read() : part
  }

  cancel (): void {
    if (this.#closed) return
    this.#closed = true
    this.#spare = undefined
    // A read that is under way would be one of another file by then.
    if (!this.#reading) letGo(this.#fd)
  }

  recycle (chunk: Buffer): void {
    if (!this.#closed && chunk.buffer.byteLength === pieceBytes) this.#spare = Buffer.from(chunk.buffer)
  }

  #readOf ({ first, last }: ByteRange): Promise<Buffer | undefined> {
    if (this.#position < 0) this.#position = first
    const wanted = Math.min(last + 1 - this.#position, pieceBytes)
    const buffer = this.#spare ?? Buffer.allocUnsafeSlow(Math.min(pieceBytes, last + 1 - first))
    this.#spare = undefined
    this.#reading = true
    return new Promise((resolve, reject) => {
      read(this.#fd, buffer, 0, wanted, this.#position, (error, bytes) => {
        this.#reading = false
        if (this.#closed) {
          letGo(this.#fd)
          return resolve(undefined)
        }
        if (error !== null) return reject(error)
        // The answer has said how long it is: only a cut tells that this is not all.
        if (bytes === 0) return reject(new Fault('FILE_CHANGED'))
        this.#position += bytes
        if (this.#position > last) {
          this.#parts.shift()
          this.#position = -1
        }
        resolve(bytes === buffer.length ? buffer : buffer.subarray(0, bytes))
      })
    })
  }
}

/** The same parts of a file whose bytes are in memory. */
export function memoryBody (content: Buffer, parts: readonly Part[]): Body {
  const rest = parts.map((part) => 'first' in part ? content.subarray(part.first, part.last + 1) : part).filter(({ length }) => length > 0)
  return {
    length: rest.reduce((sum, { length }) => sum + length, 0),
    trailers: undefined,
    read: () => rest.shift(),
    cancel () { rest.length = 0 },
  }
}

function bytesOf (part: Part): number {
  return 'first' in part ? part.last + 1 - part.first : part.length
}
