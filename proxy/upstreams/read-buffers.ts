/**
 * Memory that connections to targets read into. Node would make a buffer of 64 KiB for each read and have the collector find it again, which costs
 * a sixth of passing large answers on (test/bench/RESULTS.md). Here whoever was the last to need one gives it back; nobody has to.
 */
export const readBufferBytes = 128 * 1024

/** More than this are not kept. */
const mostFree = 32

/** A piece at least this long keeps the buffer it was read into; shorter ones are copied, so that they hold no more memory than they are long. */
export const keptPieceBytes = 32 * 1024

const free: Buffer[] = []

/** Buffers a piece of which somebody holds. Never more than one piece of a buffer is held, or giving one back would take it from the others. */
const held = new WeakSet<ArrayBufferLike>()

export function takeReadBuffer (): Buffer {
  return free.pop() ?? Buffer.allocUnsafeSlow(readBufferBytes)
}

/** For a buffer no piece of which is held. */
export function returnReadBuffer (buffer: Buffer): void {
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
