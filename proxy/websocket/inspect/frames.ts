import { randomBytes } from 'node:crypto'
import { opcodes } from '../frame-head.ts'
import { applyMask } from './gathered-bytes.ts'

interface Form {
  readonly binary: boolean
  readonly compressed: boolean
  /** For a server, with a key that nobody can foresee (RFC 6455 section 5.3). */
  readonly masked: boolean
}

/** A message in one frame. */
export function messageFrame (payload: Buffer, { binary, compressed, masked }: Form): Buffer {
  const { length } = payload
  const extra = length < 126 ? 0 : length < 65_536 ? 2 : 8
  const start = 2 + extra + (masked ? 4 : 0)
  const frame = Buffer.allocUnsafeSlow(start + length)
  frame[0] = 0x80 | (compressed ? 0x40 : 0) | (binary ? opcodes.binary : opcodes.text)
  frame[1] = (masked ? 0x80 : 0) | (extra === 0 ? length : extra === 2 ? 126 : 127)
  if (extra === 2) frame.writeUInt16BE(length, 2)
  if (extra === 8) frame.writeBigUInt64BE(BigInt(length), 2)
  payload.copy(frame, start)
  if (!masked) return frame
  const key = randomBytes(4)
  key.copy(frame, start - 4)
  applyMask(frame, start, frame.length, key)
  return frame
}
