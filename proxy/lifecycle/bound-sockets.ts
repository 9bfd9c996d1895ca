import type { ListenerConfig } from '../../config/sentinel/index.ts'
import { BoundSocket } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import { bindingOf, socketKey } from './listener-settings.ts'
import { StartError } from './start-error.ts'

/** Sockets of a configuration that is not running yet. */
export interface PreparedSockets {
  /** By `socketKey`: all that it needs. */
  readonly sockets: ReadonlyMap<string, BoundSocket>
  readonly opened: readonly BoundSocket[]
  /** Those that had to make room: nobody comes in through them any more. */
  readonly suspended: readonly BoundSocket[]
}

/** The listening sockets of this process. They go by address, not by listener: who serves one may change while clients connect. */
export class BoundSockets {
  readonly #log: Log
  readonly #open = new Map<string, BoundSocket>()
  /** Descriptors of the process before this one, by key. */
  readonly #inherited: Map<string, number>

  constructor (log: Log, inherited: ReadonlyMap<string, number> = new Map()) {
    this.#log = log
    this.#inherited = new Map(inherited)
  }

  /** Binds what is needed and not there. Rejects with a `StartError`, and everything is as before. */
  async prepare (listeners: readonly ListenerConfig[]): Promise<PreparedSockets> {
    const sockets = new Map<string, BoundSocket>()
    const opened: BoundSocket[] = []
    const suspended: BoundSocket[] = []
    try {
      for (const listener of listeners) {
        const key = socketKey(listener)
        const there = this.#open.get(key) ?? await this.#adopted(key, listener)
        const socket = there ?? await this.#bind(listener, new Set(listeners.map(socketKey)), suspended)
        if (!this.#open.has(key)) opened.push(socket)
        sockets.set(key, socket)
      }
      return { sockets, opened, suspended }
    } catch (error) {
      await this.discard({ sockets, opened, suspended })
      throw error
    }
  }

  /** The configuration is the running one. Whoever serves a socket that is not needed any more closes it. */
  take ({ sockets }: PreparedSockets, listeners: readonly ListenerConfig[]): void {
    this.#open.clear()
    for (const [key, socket] of sockets) this.#open.set(key, socket)
    for (const listener of listeners) {
      try {
        this.#open.get(socketKey(listener))?.adapt(bindingOf(listener))
      } catch (error) {
        this.#log.error(`the socket of listener '${listener.id}' keeps its owner and mode`, { event: 'socket-kept', listener: listener.id, error })
      }
    }
  }

  /** The configuration is not to be. */
  async discard ({ opened, suspended }: PreparedSockets): Promise<void> {
    for (const socket of opened) void socket.close()
    for (const socket of suspended) {
      try {
        await socket.resume()
      } catch (error) {
        this.#log.error(`${socket.address} was given up for another address, and cannot be had again`, { event: 'socket-lost', error })
      }
    }
  }

  /** What a successor needs to serve the same addresses. */
  descriptors (): Array<{ readonly key: string, readonly descriptor: number }> {
    return [...this.#open].map(([key, { descriptor }]) => ({ key, descriptor }))
  }

  async #adopted (key: string, listener: ListenerConfig): Promise<BoundSocket | undefined> {
    const descriptor = this.#inherited.get(key)
    if (descriptor === undefined) return undefined
    this.#inherited.delete(key)
    return BoundSocket.adopt(descriptor, bindingOf(listener))
  }

  /** A socket that is about to go may be in the way of one that comes: all addresses of a port after one of them, or the same with another option. */
  async #bind (listener: ListenerConfig, needed: ReadonlySet<string>, suspended: BoundSocket[]): Promise<BoundSocket> {
    try {
      return await BoundSocket.bind(bindingOf(listener))
    } catch (error) {
      const inTheWay = [...this.#open].filter(([key, { address }]) => !needed.has(key) && address.endsWith(`:${listener.address.port}`)).map(([, socket]) => socket)
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || inTheWay.length === 0) throw cannotListen(listener, error)
      for (const socket of inTheWay) {
        if (!suspended.includes(socket)) socket.suspend()
        suspended.push(socket)
      }
      return BoundSocket.bind(bindingOf(listener)).catch((still: unknown) => { throw cannotListen(listener, still) })
    }
  }
}

function cannotListen ({ id, address }: ListenerConfig, error: unknown): StartError {
  const why = error instanceof Error ? error.message : String(error)
  return new StartError(`listener '${id}' cannot listen on ${address.text}: ${why}`, [], error)
}
