import { crc32 } from 'node:zlib'
import type { FileHandle } from 'node:fs/promises'
import type { Stored } from './stored.ts'

/**
 * A file holds one answer: mark, length and checksums, then what is known of it as JSON, then its body. It is written under another name and put in
 * place whole; what a crash leaves half is not in place, or has another checksum.
 */
export interface DiskHead {
  /** Of what the file is about; compared, because names of files are digests. */
  readonly base: string
  readonly stored?: Stored
  /** In place of an answer: the fields that select one of several, which are in files of their own. */
  readonly names?: readonly string[]
}

const mark = 0x53_4b_41_31 // "SKA1"
const prefixBytes = 20
const mostHeadBytes = 1024 * 1024
const firstReadBytes = 64 * 1024

export interface ReadHead {
  readonly head: DiskHead
  readonly bodyStart: number
  readonly bodyBytes: number
  readonly bodySum: number
  /** Of the body, as far as it came with the first read. */
  readonly begun: Buffer
}

/** The whole content of a file. */
export function fileOf (head: DiskHead, body: Buffer): Buffer[] {
  const text = Buffer.from(JSON.stringify(head, (_, value: unknown) => value === Infinity ? forever : value))
  const prefix = Buffer.alloc(prefixBytes)
  prefix.writeUInt32BE(mark, 0)
  prefix.writeUInt32BE(text.length, 4)
  prefix.writeUInt32BE(body.length, 8)
  prefix.writeUInt32BE(crc32(body), 12)
  // It stands for the numbers before it as well.
  prefix.writeUInt32BE(crc32(text, crc32(prefix.subarray(0, 16))), 16)
  return [prefix, text, body]
}

/** JSON knows no infinity; milliseconds of a hundred thousand years. */
const forever = 1e15

/** What a file begins with; `undefined` when it is none of ours, or not whole. */
export async function readHead (file: FileHandle): Promise<ReadHead | undefined> {
  const first = await readAt(file, 0, firstReadBytes)
  if (first.length < prefixBytes || first.readUInt32BE(0) !== mark) return undefined
  const headBytes = first.readUInt32BE(4)
  if (headBytes > mostHeadBytes) return undefined
  const bodyStart = prefixBytes + headBytes
  const all = first.length >= bodyStart ? first : await readAt(file, 0, bodyStart)
  if (all.length < bodyStart) return undefined
  const text = all.subarray(prefixBytes, bodyStart)
  if (crc32(text, crc32(all.subarray(0, 16))) !== all.readUInt32BE(16)) return undefined
  const head = JSON.parse(text.toString()) as DiskHead // Written by `fileOf`: the checksum says so.
  return { head, bodyStart, bodyBytes: all.readUInt32BE(8), bodySum: all.readUInt32BE(12), begun: all.subarray(bodyStart) }
}

/** Bytes from `position` on; fewer than `bytes` only at the end of the file. */
export async function readAt (file: FileHandle, position: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(bytes)
  let filled = 0
  while (filled < bytes) {
    const { bytesRead } = await file.read(buffer, filled, bytes - filled, position + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return filled === bytes ? buffer : buffer.subarray(0, filled)
}

const pieceBytes = 256 * 1024

/** Whether the body is the one that was written. */
export async function isWhole (file: FileHandle, { bodyStart, bodyBytes, bodySum, begun }: ReadHead): Promise<boolean> {
  let sum = crc32(begun.subarray(0, bodyBytes))
  let read = Math.min(begun.length, bodyBytes)
  while (read < bodyBytes) {
    const piece = await readAt(file, bodyStart + read, Math.min(pieceBytes, bodyBytes - read))
    if (piece.length === 0) return false
    sum = crc32(piece, sum)
    read += piece.length
  }
  return sum === bodySum
}
