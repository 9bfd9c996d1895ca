import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { Exchange } from '../pipeline/exchange.ts'
import { preface } from '../http2/index.ts'
import type { ClientConnection } from './client-connection.ts'
import { firstCallMs } from './connection.ts'
import { http1, type SpeakerHooks } from './http1.ts'
import { http2 } from './http2.ts'
import type { CurrentSettings } from './listener.ts'

type Speaker = (socket: Socket) => ClientConnection

/** What TLS clients are offered, the best first. */
export const offeredProtocols = ['h2', 'http/1.1']

/** Speaks what the client chose: in the handshake of TLS, or, where the listener allows it, by how it begins. */
export function speak (current: CurrentSettings, hooks: SpeakerHooks): Speaker {
  const one = http1(current, hooks)
  const two = http2(current, hooks)
  return (socket) => {
    if (socket instanceof TLSSocket) return socket.alpnProtocol === 'h2' ? two(socket) : one(socket)
    const { priorKnowledge, requestTimeoutMs } = current.settings
    return priorKnowledge === true ? new FirstWords(socket, requestTimeoutMs, one, two) : one(socket)
  }
}

/** A connection whose protocol is not known before its first bytes (RFC 9113 section 3.3). */
class FirstWords implements ClientConnection {
  readonly socket: Socket
  #talking: ClientConnection | undefined = undefined
  #heard: Buffer = Buffer.alloc(0)
  #deadline: number
  #leaving = false
  readonly #one: Speaker
  readonly #two: Speaker

  constructor (socket: Socket, timeoutMs: number, one: Speaker, two: Speaker) {
    this.socket = socket
    this.#deadline = performance.now() + timeoutMs
    this.#one = one
    this.#two = two
    socket.on('data', this.#listen)
    socket.on('end', this.#ended)
    // What went wrong does not matter: the listener hears 'close'.
    socket.on('error', () => {})
  }

  get deadline (): number {
    return this.#talking === undefined ? this.#deadline : this.#talking.deadline
  }

  expire (): void {
    if (this.#talking === undefined) this.socket.destroy()
    else this.#talking.expire()
  }

  drain (): void {
    this.#leaving = true
    if (this.#talking === undefined) this.#deadline = Math.min(this.#deadline, performance.now() + firstCallMs)
    else this.#talking.drain()
  }

  end (which: (x: Exchange) => boolean): void {
    this.#talking?.end?.(which)
  }

  cut (): void {
    if (this.#talking?.cut === undefined) this.socket.destroy()
    else this.#talking.cut()
  }

  readonly #listen = (bytes: Buffer): void => {
    this.#heard = this.#heard.length === 0 ? bytes : Buffer.concat([this.#heard, bytes])
    const said = this.#heard.toString('latin1', 0, preface.length)
    if (said.length < preface.length && preface.startsWith(said)) return
    this.socket.off('data', this.#listen)
    this.socket.off('end', this.#ended)
    this.#talking = said === preface ? this.#two(this.socket) : this.#one(this.socket)
    if (this.#leaving) this.#talking.drain()
    this.socket.unshift(this.#heard)
    this.#heard = Buffer.alloc(0)
  }

  readonly #ended = (): void => { this.socket.destroy() }
}
