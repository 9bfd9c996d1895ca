import { createServer, type Server, type Socket } from 'node:net'
import type { ReverseListenerConfig } from '../../config/sentinel/index.ts'
import { listenOn, type HeldSocket } from '../listeners/index.ts'
import type { Log } from '../observe/log.ts'
import { LocalRates } from '../state/index.ts'
import { socketKey, type SocketOwner } from './listener-settings.ts'
import type { Servers } from './socket-table.ts'

/** As the table of sockets knows them: it holds those of listeners and these alike. */
export function reverseSocket ({ address, socketMode, socketOwner, socketGroup }: ReverseListenerConfig): SocketOwner {
  return { id: `reverse-listener ${address.text}`, address, backlog: 512, ipv6Only: false, reusePort: false, socketMode, socketOwner, socketGroup }
}

export function reverseKey (listener: ReverseListenerConfig): string {
  return socketKey(reverseSocket(listener))
}

/** How often one address may connect; an agent comes back every few seconds at the most. */
const perAddress = { perSecond: 50, burst: 200, maxKeys: 10_000 }

/**
 * Main accepts the connections of agents and hands each to one worker after the other: every worker needs some of its own, and the system would give
 * all to whoever is idle. Nothing is read here.
 */
export class ReverseSockets {
  readonly #hand: (listener: string, socket: Socket) => void
  readonly #log: Log
  readonly #servers = new Map<string, Server>()
  /** Let go of for another that needed the port. */
  readonly #suspended = new Set<string>()
  readonly #rates = new LocalRates(perAddress)

  constructor (log: Log, hand: (listener: string, socket: Socket) => void) {
    this.#log = log
    this.#hand = hand
  }

  /** Accepts from these and no others. The sockets of those that go are closed by whoever holds them. */
  async use (listeners: readonly ReverseListenerConfig[], sockets: ReadonlyMap<string, HeldSocket>): Promise<void> {
    const wanted = new Map(listeners.map((listener) => [reverseKey(listener), sockets.get(reverseSocket(listener).id)!]))
    for (const key of this.#servers.keys()) {
      if (wanted.has(key)) continue
      this.#stop(key)
    }
    for (const [key, socket] of wanted) if (!this.#servers.has(key)) await this.#listen(key, socket)
  }

  /** Addresses may move between these and the listeners of `others`: each lets go of its own. */
  beside (others: Servers): Servers {
    return {
      suspend: async (keys) => {
        for (const key of keys) if (this.#stop(key)) this.#suspended.add(key)
        await others.suspend(keys)
      },
      resume: async (sockets) => {
        for (const [key, socket] of sockets) if (this.#suspended.delete(key)) await this.#listen(key, socket)
        await others.resume(new Map([...sockets].filter(([key]) => !this.#servers.has(key))))
      },
    }
  }

  close (): void {
    for (const key of this.#servers.keys()) this.#stop(key)
  }

  #stop (key: string): boolean {
    this.#servers.get(key)?.close()
    return this.#servers.delete(key)
  }

  async #listen (key: string, socket: HeldSocket): Promise<void> {
    const server = createServer({ pauseOnConnect: true, noDelay: true }, (connection) => {
      connection.on('error', () => {})
      if (this.#rates.take(connection.remoteAddress ?? 'unix:', performance.now(), 0).allowed) this.#hand(key, connection)
      else connection.destroy()
    })
    try {
      await listenOn(server, socket)
      this.#servers.set(key, server)
      this.#log.info(`agents may connect to ${socket.address}`, { event: 'reverse-listening', address: socket.address })
    } catch (error) {
      this.#log.error(`agents cannot connect to ${socket.address}`, { event: 'reverse-listener-failed', error })
    }
  }
}
