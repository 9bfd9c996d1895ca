import { HeldSocket } from '../listeners/held-socket.ts'
import type { Log } from '../observe/log.ts'
import { bindingOf, socketKey, type SocketOwner } from './listener-settings.ts'

/** What serves the sockets of the running configuration, as far as it can be asked to let go of some. */
export interface Servers {
  /** Accepts nobody through these any more, by `socketKey`. */
  suspend (keys: readonly string[]): Promise<void>
  /** The same addresses, had again. */
  resume (sockets: ReadonlyMap<string, HeldSocket>): Promise<void>
}

/** Sockets of a configuration that is not running yet. */
export interface PreparedSockets {
  /** By the id of the listener. */
  readonly sockets: ReadonlyMap<string, HeldSocket>
  /** It is the running one from now on. */
  take (): void
  /** It is not to be. */
  discard (): Promise<void>
}

/** The sockets that clients connect to. They go by address, are bound once and outlive configurations: whoever serves them may change, nobody who connects meets a closed door. */
export class SocketTable {
  readonly #log: Log
  readonly #servers: () => Servers | undefined
  /** By `socketKey`. */
  readonly #held = new Map<string, HeldSocket>()
  /** Descriptors that somebody else has bound, by `socketKey`. */
  readonly #inherited: Map<string, number>

  constructor (log: Log, servers: () => Servers | undefined, inherited: ReadonlyMap<string, number> = new Map()) {
    this.#log = log
    this.#servers = servers
    this.#inherited = new Map(inherited)
  }

  /** Those that are held already, the others bound now. Rejects with a sentence for the operator, and everything is as before. */
  async prepare (listeners: readonly SocketOwner[]): Promise<PreparedSockets> {
    const keys = new Set(listeners.map(socketKey))
    const bound = new Map<string, HeldSocket>()
    const suspended: string[] = []
    const discard = async (): Promise<void> => {
      for (const socket of bound.values()) socket.close()
      await this.#resume(suspended)
    }
    try {
      for (const listener of listeners) {
        const key = socketKey(listener)
        if (!this.#held.has(key)) bound.set(key, this.#adopted(key, listener) ?? await this.#bind(listener, keys, suspended))
      }
    } catch (error) {
      await discard()
      throw error
    }
    const sockets = new Map(listeners.map((listener) => [listener.id, (bound.get(socketKey(listener)) ?? this.#held.get(socketKey(listener)))!]))
    return { sockets, discard, take: () => this.#take(listeners, bound) }
  }

  /** What a successor needs to serve the same addresses. */
  descriptors (): Array<readonly [key: string, descriptor: number]> {
    return [...this.#held].map(([key, { handle }]) => [key, handle.fd])
  }

  /** Whose file this process removes at the end. */
  get files (): string[] {
    return [...this.#held].filter(([, { isOwner }]) => isOwner).map(([key]) => key)
  }

  /** The process that did so before is about to end. */
  own (keys: readonly string[]): void {
    for (const key of keys) this.#held.get(key)?.own()
  }

  /** `servesOn`: another process accepts from the same sockets. */
  close (servesOn = false): void {
    for (const socket of this.#held.values()) socket.close(servesOn)
    this.#held.clear()
  }

  #take (listeners: readonly SocketOwner[], bound: ReadonlyMap<string, HeldSocket>): void {
    const keys = new Set(listeners.map(socketKey))
    for (const [key, socket] of this.#held) {
      if (keys.has(key)) continue
      socket.close()
      this.#held.delete(key)
    }
    for (const [key, socket] of bound) this.#held.set(key, socket)
    for (const listener of listeners) {
      try {
        this.#held.get(socketKey(listener))!.adapt(bindingOf(listener))
      } catch (error) {
        this.#log.error(`the socket of listener '${listener.id}' keeps its owner and mode`, { event: 'socket-kept', listener: listener.id, error })
      }
    }
  }

  #adopted (key: string, listener: SocketOwner): HeldSocket | undefined {
    const descriptor = this.#inherited.get(key)
    if (descriptor === undefined) return undefined
    this.#inherited.delete(key)
    return HeldSocket.adopt(descriptor, bindingOf(listener))
  }

  /** A socket that is about to go may be in the way of one that comes: all addresses of a port after one of them, or the same with another option. */
  async #bind (listener: SocketOwner, needed: ReadonlySet<string>, suspended: string[]): Promise<HeldSocket> {
    try {
      return await HeldSocket.bind(bindingOf(listener))
    } catch (error) {
      const { address: { port } } = listener
      const inTheWay = [...this.#held].filter(([key, { address }]) => !needed.has(key) && port > 0 && address.endsWith(`:${port}`)).map(([key]) => key)
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || inTheWay.length === 0) throw cannotListen(listener, error)
      suspended.push(...inTheWay)
      await this.#servers()?.suspend(inTheWay)
      for (const key of inTheWay) this.#held.get(key)!.close()
      return HeldSocket.bind(bindingOf(listener)).catch((still: unknown) => { throw cannotListen(listener, still) })
    }
  }

  async #resume (keys: readonly string[]): Promise<void> {
    const again = new Map<string, HeldSocket>()
    for (const key of keys) {
      try {
        const socket = await this.#held.get(key)!.again()
        this.#held.set(key, socket)
        again.set(key, socket)
      } catch (error) {
        this.#log.error(`${this.#held.get(key)!.address} was given up for another address, and cannot be had again`, { event: 'socket-lost', error })
      }
    }
    if (again.size > 0) await this.#servers()?.resume(again)
  }
}

function cannotListen ({ id, address }: SocketOwner, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error)
  return new Error(`listener '${id}' cannot listen on ${address.text}: ${why}`, { cause: error })
}
