import { randomFillSync } from 'node:crypto'

const idBytes = 16
const pool = Buffer.allocUnsafe(idBytes * 256)
let used = pool.length

/** 128 random bits in 22 URL-safe characters. Random bytes are fetched 256 ids at a time: a system call for each one would show. */
export function newRequestId (): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = pool.toString('base64url', used, used + idBytes)
  used += idBytes
  return id
}
