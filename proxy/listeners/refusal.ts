import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { faultReply } from '../pipeline/fault-reply.ts'
import { faults, type FaultCode } from '../pipeline/faults.ts'
import { httpDate } from './date.ts'
import { newRequestId } from './request-id.ts'

/** The whole answer, as bytes, for a client with whom there is no exchange: its request could not be read. */
export function refusalBytes (code: FaultCode): Buffer {
  const reply = faultReply(code, newRequestId())
  // A fault reply is all there: nothing to wait for.
  const body = reply.body?.read() as Buffer
  let head = `HTTP/1.1 ${faults[code].status} ${STATUS_CODES[faults[code].status] ?? ''}\r\n`
  for (const [name, value] of reply.headers) head += `${name}: ${value}\r\n`
  head += `Date: ${httpDate()}\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

/**
 * Closes so that the client can read the last answer: closing at once while it still sends makes the system answer with a
 * reset, which may overtake the answer (RFC 9112 section 9.6).
 */
export function closeSlowly (socket: Socket, lingerMs: number): void {
  socket.end()
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  socket.once('close', () => clearTimeout(timer))
}
