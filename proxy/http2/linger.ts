import type { Socket } from 'node:net'

/** How long an ended connection is given to read why. */
const lingerMs = 1_000

/** More than this is not read of somebody who has been told that nothing more is wanted. */
const lingerBytes = 64 * 1024

/**
 * Ends a connection so that the other side can read what was said: bytes it still sends must not make the system answer with a reset.
 * `hostile`: it is not even read, so that it can send nothing more.
 */
export function endSocket (socket: Socket, hostile: boolean): void {
  socket.end()
  // As long as the socket is there, so is its time.
  const timer = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('close', () => clearTimeout(timer))
  if (hostile) return void socket.pause()
  let left = lingerBytes
  socket.on('data', (bytes: Buffer) => { if ((left -= bytes.length) < 0) socket.destroy() })
  socket.resume()
}
