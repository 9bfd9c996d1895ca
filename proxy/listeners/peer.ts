import type { Socket } from 'node:net'
import type { Peer, TlsFacts } from '../pipeline/exchange.ts'

export function peerOf (socket: Socket, tls: TlsFacts | undefined): Peer {
  return { address: plainAddress(socket.remoteAddress ?? ''), port: socket.remotePort ?? 0, tls }
}

/** IPv4 clients of a dual-stack socket under their own address. */
export function plainAddress (address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
