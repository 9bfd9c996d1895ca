import { isFieldValue, isToken } from './characters.ts'

/** As much of a socket as writing takes. */
export interface Outlet {
  write (bytes: Buffer): boolean
  write (text: string, encoding: 'latin1'): boolean
  cork (): void
  uncork (): void
  /** Bytes that the system has not taken yet. */
  readonly writableLength: number
  /** TLS holds on to what it is given, also when it takes it at once. */
  readonly encrypted?: boolean
}

/** Pieces up to this size go out in one write with what is around them. */
export const oneWriteBytes = 16 * 1024

/** Shorter ones become a part of the text around them: that costs less than memory and a copy. */
const textBytes = 1024

/** Where longer ones are put together, again and again: whoever still holds what was written keeps the memory, and the next one gets another. */
let room = Buffer.allocUnsafeSlow(2 * oneWriteBytes)

/** Writes a piece of a body behind `before` (the head, or nothing). False when the outlet is full. */
export function writePiece (outlet: Outlet, piece: Buffer, before: string, chunked: boolean): boolean {
  // A chunk of no octets is the end of a body, and what follows would be another message.
  if (piece.length === 0) return before === '' || outlet.write(before, 'latin1')
  const lead = chunked ? `${before}${piece.length.toString(16)}\r\n` : before
  if (lead === '') return outlet.write(piece)
  // One small text costs less than a gathered write of three pieces.
  const fitsIn = piece.length <= oneWriteBytes && lead.length <= oneWriteBytes - 2
  if (fitsIn && piece.length > textBytes && outlet.encrypted !== true) return writeTogether(outlet, lead, piece, chunked)
  if (piece.length <= oneWriteBytes) return outlet.write(`${lead}${piece.toString('latin1')}${chunked ? '\r\n' : ''}`, 'latin1')
  outlet.cork()
  outlet.write(lead, 'latin1')
  let ready = outlet.write(piece)
  if (chunked) ready = outlet.write('\r\n', 'latin1')
  outlet.uncork()
  return ready
}

function writeTogether (outlet: Outlet, lead: string, piece: Buffer, chunked: boolean): boolean {
  let length = room.write(lead, 0, 'latin1')
  length += piece.copy(room, length)
  if (chunked) length += room.write('\r\n', length, 'latin1')
  const ready = outlet.write(room.subarray(0, length))
  if (outlet.writableLength > 0) room = Buffer.allocUnsafeSlow(2 * oneWriteBytes)
  return ready
}

/** The last chunk of a body with the fields behind it. What is no field is left out: it would be another field, or another message. */
export function lastChunk (trailers: readonly string[]): string {
  let text = '0\r\n'
  for (let i = 0; i < trailers.length; i += 2) {
    const name = trailers[i]!
    const value = trailers[i + 1]!
    if (isToken(name) && isFieldValue(value)) text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}
