import type { Socket } from 'node:net'

/** How long an ended connection is given to read why. */
const lingerMs = 1_000

/** Ends a connection so that the other side can read what was said: bytes it still sends must not make the system answer with a reset. */
export function endSocket (socket: Socket): void {
  socket.end()
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}
