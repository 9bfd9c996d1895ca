import { read, type Stats } from 'node:fs'
import { promisify } from 'node:util'
import type { Coding } from '../../pipeline/content-coding.ts'
import type { Validators } from './conditions.ts'

/** One file as it is sent: as it lies there, or packed. */
export interface Representation extends Validators {
  /** Below the root. */
  readonly name: string
  readonly stats: Stats
  readonly size: number
  /** Its type, as the field says it. */
  readonly type: string
  /** Names and values for the head of a whole answer, to be copied. */
  readonly fields: readonly string[]
  readonly coding: Coding | undefined
  /** Packed by this process, and not to be had in parts. */
  readonly madeHere: boolean
  /** All of it, when it is small. */
  readonly content: Buffer | undefined
}

/** Within this time after a change another one may leave the same time of change: file systems count in ticks, and some in seconds. */
const freshMs = 2_000

/** Up to this size a file is kept in memory. */
export const smallBytes = 256 * 1024

const readFile = promisify(read)

export interface Described {
  readonly name: string
  readonly stats: Stats
  readonly content: Buffer | undefined
  readonly type: string
  readonly coding: Coding | undefined
  readonly cacheControl: string
  readonly varies: boolean
}

export function representationOf ({ name, stats, content, type, coding, cacheControl, varies }: Described): Representation {
  const size = content?.length ?? stats.size
  const tag = `"${Math.round(stats.mtimeMs * 1_000).toString(36)}-${stats.size.toString(36)}"`
  const nowMs = new Date().getTime()
  const etag = nowMs - stats.mtimeMs > freshMs ? tag : `W/${tag}`
  // RFC 9110 section 8.8.2.1: nothing was changed in the future.
  const modifiedMs = Math.floor(Math.min(stats.mtimeMs, nowMs) / 1_000) * 1_000
  const fields = [
    'Content-Type', type, ...coding === undefined ? [] : ['Content-Encoding', coding], 'Cache-Control', cacheControl, 'ETag', etag,
    'Last-Modified', new Date(modifiedMs).toUTCString(), 'Accept-Ranges', 'bytes', ...varies ? ['Vary', 'Accept-Encoding'] : [],
  ]
  return { name, stats, size, type, coding, madeHere: false, fields, content, etag, modifiedMs }
}

/** The same in fewer bytes that were made here: it means the same, and parts of it cannot be asked for (RFC 9110 section 8.8.1). */
export function packedAs (plain: Representation, coding: Coding, content: Buffer, cacheControl: string): Representation {
  const etag = plain.etag.startsWith('W/') ? plain.etag : `W/${plain.etag}`
  const fields = [
    'Content-Type', plain.type, 'Content-Encoding', coding, 'Cache-Control', cacheControl, 'ETag', etag,
    'Last-Modified', new Date(plain.modifiedMs).toUTCString(), 'Vary', 'Accept-Encoding',
  ]
  return { ...plain, etag, coding, madeHere: true, fields, content, size: content.length }
}

/** Whether a file is as it was: nobody has written to it, nor put another in its place. */
export function isUnchanged (old: Representation, stats: Stats): boolean {
  return old.stats.ino === stats.ino && old.stats.dev === stats.dev && old.stats.size === stats.size &&
    old.stats.mtimeMs === stats.mtimeMs && old.stats.ctimeMs === stats.ctimeMs && !old.etag.startsWith('W/')
}

/** The whole of a small file. */
export async function contentOf (fd: number, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(size)
  let filled = 0
  while (filled < size) {
    const { bytesRead } = await readFile(fd, buffer, filled, size - filled, filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
