import { createHash } from 'node:crypto'

/** What is compared in place of a token: of one length, and nothing to be read from. */
export function tokenDigest (token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
