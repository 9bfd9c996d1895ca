/**
 * Memory that connections to targets read into. Node would make a buffer of 64 KiB for each read and have the collector find it again, which costs
 * a sixth of passing large answers on (test/bench/RESULTS.md). Here whoever was the last to need one gives it back; nobody has to.
 */

/** Heads and most answers fit in, and an answer that nobody reads holds no more. */
export const smallReadBytes = 16 * 1024

/** For answers that filled a small one and are read as fast as they come. */
export const largeReadBytes = 128 * 1024

/** More than this are not kept of either kind. */
const mostFree = 32

/** A piece at least this long keeps the buffer it was read into; shorter ones are copied, so that they hold no more memory than they are long. */
export const keptPieceBytes = 32 * 1024

const small: Buffer[] = []
const large: Buffer[] = []

/** Buffers a piece of which somebody holds. Never more than one piece of a buffer is held, or giving one back would take it from the others. */
const held = new WeakSet<ArrayBufferLike>()

export function takeReadBuffer (wide: boolean): Buffer {
  return (wide ? large : small).pop() ?? Buffer.allocUnsafeSlow(wide ? largeReadBytes : smallReadBytes)
}

/** For a buffer no piece of which is held. */
export function returnReadBuffer (buffer: Buffer): void {
  const free = buffer.length === largeReadBytes ? large : small
  if (free.length < mostFree) free.push(buffer)
}

/** From now on a piece of `buffer` belongs to somebody. */
export function holdReadBuffer (buffer: Buffer): void {
  held.add(buffer.buffer)
}

/** Nobody looks at `piece` any more. What no read buffer was lent out for is left to the collector. */
export function giveReadBufferBack ({ buffer }: Buffer): void {
  if (held.delete(buffer)) returnReadBuffer(Buffer.from(buffer))
}
