import { Socket } from 'node:net'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import type { EndSignal } from '../pipeline/end-signal.ts'
import type { Peer } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { closeSlowly } from './refusal.ts'
import type { RequestBody } from './request-body.ts'
import type { Accepted, Rejected } from './request-head.ts'
import type { ResponseWriter } from './response-writer.ts'
import { tlsFacts } from './tls-facts.ts'

/** A request that was parsed and waits for its turn. */
export interface Held {
  readonly message: IncomingMessage
  readonly response: ServerResponse
  readonly expect: 'none' | 'continue' | 'unknown'
}

/** The exchange a connection is busy with. */
export interface OpenExchange {
  readonly message: IncomingMessage
  readonly received: Accepted | Rejected
  readonly writer: ResponseWriter
  readonly body: RequestBody | undefined
  readonly ending: EndSignal
}

const lingerMs = 2_000
const lingerBytes = 1024 * 1024

/** How many pipelined requests wait in memory. A client that sends more has to send the rest again on another connection. */
const maxHeld = 64

/**
 * Requests behind those that are served. Node keeps an object for each one it has parsed, so reading stops at the first; what one
 * read of the socket brought (64 KiB) may still be parsed. Whoever gets beyond that is cut off.
 */
const maxIgnored = 4_096

/** One connection of a client: one exchange at a time, the pipelined ones behind it. */
export class Connection {
  readonly socket: Socket
  readonly held: Held[] = []
  open: OpenExchange | undefined = undefined
  /** Requests served so far. */
  served = 0
  /** No further request will be served. */
  closing = false
  /** No further request will be held: the connection closes when those that are held were served. */
  full = false
  /** What came behind the open exchange could not be parsed: it is answered after it. */
  parseFault: Buffer | undefined = undefined
  /** The parser has given up: whatever else comes is thrown away. */
  unreadable = false
  #ignored = 0
  #peer: Peer | undefined = undefined
  /** `socket.bytesRead` when it became idle: more means that a head has begun. */
  #bytesWhenIdle: number

  constructor (socket: Socket) {
    this.socket = socket
    this.#bytesWhenIdle = socket.bytesRead
    socket.once('close', () => this.#closed())
  }

  get peer (): Peer {
    return this.#peer ??= {
      address: plainAddress(this.socket.remoteAddress ?? ''),
      port: this.socket.remotePort ?? 0,
      tls: this.socket instanceof TLSSocket ? tlsFacts(this.socket) : undefined,
    }
  }

  /** Nothing is being served and no part of a head has come. */
  get idle (): boolean {
    return this.open === undefined && this.socket.bytesRead === this.#bytesWhenIdle
  }

  /** False when it has to wait behind others, or is ignored because the connection is about to close. */
  takesNow (held: Held): boolean {
    if (this.closing || this.full) return this.#ignore()
    if (this.open === undefined) return true
    if (this.held.length < maxHeld) {
      this.held.push(held)
      return false
    }
    this.full = true
    return this.#ignore()
  }

  /** The answer to the open exchange is the last one. */
  get ending (): boolean {
    return this.closing || (this.full && this.held.length === 0)
  }

  /** The answer is complete. Gives the next request in line. */
  finished ({ writer, body, message }: OpenExchange): Held | undefined {
    this.open = undefined
    this.#bytesWhenIdle = this.socket.bytesRead
    if (this.socket.destroyed) return undefined
    if (this.parseFault !== undefined && !writer.last && this.held.length === 0) {
      this.socket.write(this.parseFault)
      this.close()
    } else if (writer.last) {
      this.closing = true
    } else if (this.ending && this.held.length === 0) {
      this.close()
    } else if (body !== undefined && !message.complete) {
      body.discard({ bytes: lingerBytes, ms: lingerMs }, (complete) => { if (!complete) this.socket.destroy() })
    }
    return writer.last ? undefined : this.held.shift()
  }

  /**
   * For the last answer: makes Node's close at its end a slow one when the client is still sending, so that the answer
   * is not lost to a reset. Node calls `destroySoon` when an answer with `Connection: close` is written.
   */
  closeSlowlyAfter (body: RequestBody): void {
    const { socket } = this
    socket.destroySoon = () => {
      socket.end()
      body.discard({ bytes: lingerBytes, ms: lingerMs }, () => Socket.prototype.destroySoon.call(socket))
    }
  }

  /** Ends an unused connection. */
  close (): void {
    this.closing = true
    closeSlowly(this.socket, lingerMs)
  }

  /** Nobody will serve it. A socket that was ended is read to its end, so that the client gets to see the last answer. */
  #ignore (): false {
    if (this.#ignored === 0) this.socket.destroySoon = () => closeSlowly(this.socket, lingerMs)
    if (++this.#ignored > maxIgnored) this.socket.destroy()
    else if (!this.socket.writableEnded) this.socket.pause()
    return false
  }

  #closed (): void {
    const { open } = this
    this.closing = true
    this.held.length = 0
    if (open === undefined) return
    const fault = new Fault('CLIENT_GONE')
    open.body?.fail(fault)
    open.writer.gone(fault)
    open.ending.end(fault)
  }
}

/** IPv4 clients of a dual-stack socket under their own address. */
function plainAddress (address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
