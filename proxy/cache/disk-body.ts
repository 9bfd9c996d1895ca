import { open, type FileHandle } from 'node:fs/promises'
import { Fault } from '../pipeline/faults.ts'
import { readAt, readHead } from './disk-file.ts'
import type { KeptBody } from './stored.ts'

const pieceBytes = 64 * 1024

export interface DiskPart {
  readonly path: string
  /** Of the body that was found: another one may have taken its place. */
  readonly bodySum: number
  readonly bodyBytes: number
  readonly start: number
  readonly end: number
}

/**
 * A part of a body that is read from its file as fast as somebody takes it. The file is opened at once, and is read to its end though its name
 * should go to another one, or to none, meanwhile.
 */
export function diskBody ({ path, bodySum, bodyBytes, start, end }: DiskPart): KeptBody {
  const opened = async (): Promise<{ readonly handle: FileHandle, readonly bodyStart: number }> => {
    const handle = await open(path, 'r')
    const head = await readHead(handle).catch(() => undefined)
    if (head !== undefined && head.bodySum === bodySum && head.bodyBytes === bodyBytes) return { handle, bodyStart: head.bodyStart }
    await handle.close()
    throw new Error('another answer has taken its place')
  }
  const file = opened()
  let position = start
  let over = false
  const close = (): void => {
    if (over) return
    over = true
    void file.then(({ handle }) => handle.close(), () => {})
  }
  return {
    length: end - start,
    trailers: undefined,
    isThere: file.then(() => true, () => false),
    async read () {
      if (over || position >= end) {
        close()
        return undefined
      }
      try {
        const { handle, bodyStart } = await file
        const piece = await readAt(handle, bodyStart + position, Math.min(pieceBytes, end - position))
        if (piece.length === 0) throw new Error('the file of the answer ends too early')
        position += piece.length
        if (position >= end) close()
        return piece
      } catch (error) {
        close()
        throw new Fault('INTERNAL', `a kept answer could not be read: ${error instanceof Error ? error.message : String(error)}`, error)
      }
    },
    cancel: close,
  }
}
