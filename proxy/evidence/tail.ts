import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { GENESIS, readRecord } from './chain.ts'
import type { Head } from './chain.ts'
import { EvidenceError } from './problem.ts'

/** More than the bounds of a receipt allow, each character escaped; what is longer was not written by us. */
export const MAX_LINE_BYTES = 1024 * 1024
const BLOCK = 64 * 1024

/** A crash can tear one record, and a second crash the record that tells of the first; more was not a crash. */
const MAX_TORN_LINES = 8

export interface Tail {
  /** The last whole record. */
  readonly head: Head
  /** Its kind; "" in an empty file. */
  readonly kind: string
  /** What lies behind it: a record that a crash cut off. */
  readonly torn: { readonly bytes: number, readonly sha256: string } | undefined
}

/**
 * How a file ends. Reads its last lines only. Rejects with EVIDENCE_BROKEN when the last record does not fit its own hash: that is
 * no crash, and a chain must not go on as if nothing had happened.
 */
export async function readTail (file: FileHandle, name: string): Promise<Tail> {
  const { size } = await file.stat()
  let end = await newlineBefore(file, size)
  for (let tries = 0; end > 0; tries++) {
    const start = await newlineBefore(file, end - 1)
    if (end - start > MAX_LINE_BYTES) throw broken(name, 'it is too long')
    const record = readRecord(await readRange(file, start, end - 1))
    if (!('error' in record)) {
      if (record.computed !== record.hash || !record.canonical) throw broken(name, 'its hash does not fit its content')
      return { head: { seq: record.seq, hash: record.hash }, kind: record.kind, torn: await tornPiece(file, end, size) }
    }
    if (record.json || tries >= MAX_TORN_LINES) throw broken(name, record.error)
    end = start
  }
  return { head: GENESIS, kind: '', torn: await tornPiece(file, 0, size) }
}

async function tornPiece (file: FileHandle, start: number, end: number): Promise<Tail['torn']> {
  return start === end ? undefined : { bytes: end - start, sha256: await hashRange(file, start, end) }
}

function broken (name: string, why: string): EvidenceError {
  return new EvidenceError('EVIDENCE_BROKEN',
    `the last record of ${name} is not valid (${why}), so nothing can be chained to it; look at it with "sentinel evidence verify ${name}" and move the file away`)
}

/** Offset behind the last newline in front of `end`; 0 when there is none. */
async function newlineBefore (file: FileHandle, end: number): Promise<number> {
  for (let high = end; high > 0;) {
    const low = Math.max(0, high - BLOCK)
    const at = (await readRange(file, low, high)).lastIndexOf(10)
    if (at >= 0) return low + at + 1
    high = low
  }
  return 0
}

async function hashRange (file: FileHandle, start: number, end: number): Promise<string> {
  const hash = createHash('sha256')
  for (let at = start; at < end; at += BLOCK) hash.update(await readRange(file, at, Math.min(end, at + BLOCK)))
  return hash.digest('hex')
}

async function readRange (file: FileHandle, start: number, end: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(end - start)
  let filled = 0
  while (filled < buffer.length) {
    const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, start + filled)
    if (bytesRead === 0) break
    filled += bytesRead
  }
  return buffer.subarray(0, filled)
}
