import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { unixPeer } from '../../config/schema/address.ts'
import type { Peer, TlsFacts } from '../pipeline/exchange.ts'

/** The two ends of a connection, IPv6 without a zone: it means something on this machine only. */
export interface Ends {
  /** "unix:" for whoever comes in through a Unix socket, "" when nobody knows (it is gone already). */
  readonly address: string
  readonly port: number
  readonly localAddress: string
  readonly localPort: number
}

/** What is known better than the system knows it. */
const stated = new WeakMap<Socket, Ends>()

export const unixEnds: Ends = { address: unixPeer, port: 0, localAddress: unixPeer, localPort: 0 }

/** Whatever asks for the ends of this connection gets these from now on. */
export function stateEnds (socket: Socket, ends: Ends): void {
  stated.set(socket, ends)
}

export function peerOf (socket: Socket, tls: TlsFacts | undefined): Peer {
  const ends = stated.get(acceptedSocket(socket))
  return ends === undefined ? new SocketPeer(socket, tls) : { ...ends, tls }
}

/** Where it came in is asked of the system only when somebody wants to know: Node.js keeps what it asked for as long as the connection lives. */
class SocketPeer implements Peer {
  readonly address: string
  readonly port: number
  readonly tls: TlsFacts | undefined
  readonly #socket: Socket

  constructor (socket: Socket, tls: TlsFacts | undefined) {
    this.address = plainAddress(socket.remoteAddress ?? '')
    this.port = socket.remotePort ?? 0
    this.tls = tls
    this.#socket = socket
  }

  get localAddress (): string {
    return plainAddress(this.#socket.localAddress ?? '')
  }

  get localPort (): number {
    return this.#socket.localPort ?? 0
  }
}

export function addressOf (socket: Socket): string {
  return stated.get(acceptedSocket(socket))?.address ?? plainAddress(socket.remoteAddress ?? '')
}

/** The socket that was accepted, of one that TLS was put on: Node.js keeps it under this name. */
export function acceptedSocket (socket: Socket): Socket {
  if (!(socket instanceof TLSSocket)) return socket
  const { _parent: parent } = socket as TLSSocket & { readonly _parent?: Socket }
  return parent ?? socket
}

/** IPv4 clients of a dual-stack socket under their own address, link-local ones without their zone. */
export function plainAddress (address: string): string {
  if (address.startsWith('::ffff:') && address.includes('.')) return address.slice(7)
  const zone = address.indexOf('%')
  return zone === -1 ? address : address.slice(0, zone)
}
