import { clientKey } from '../pipeline/client-key.ts'

export interface DoorLimits {
  /** Connections of all listeners together. */
  readonly maxConnections: number
  /** Connections of one client. */
  readonly maxConnectionsPerClient: number
}

/** What a connection holds while it is open. */
export interface Place {
  leave (): void
}

/** Counts connections and knows how many there may be. One for all listeners of a process. */
export class Door {
  /** May change while connections are open: it counts for the next one. */
  limits: DoorLimits
  #open = 0
  readonly #clients = new Map<string, number>()

  constructor (limits: DoorLimits) {
    this.limits = limits
  }

  /** `client`: its address; `undefined` for one that speaks for many. Gives a place, or the name of the limit that leaves none. */
  enter (client: string | undefined): Place | 'total' | 'client' {
    if (this.#open >= this.limits.maxConnections) return 'total'
    const key = client === undefined ? undefined : clientKey(client)
    if (key !== undefined) {
      const count = this.#clients.get(key) ?? 0
      if (count >= this.limits.maxConnectionsPerClient) return 'client'
      this.#clients.set(key, count + 1)
    }
    this.#open++
    return new Taken(this, key)
  }

  /** For `Place` alone. */
  left (key: string | undefined): void {
    this.#open--
    if (key === undefined) return
    const count = this.#clients.get(key) ?? 0
    if (count > 1) this.#clients.set(key, count - 1)
    else this.#clients.delete(key)
  }
}

class Taken implements Place {
  readonly #door: Door
  readonly #key: string | undefined

  constructor (door: Door, key: string | undefined) {
    this.#door = door
    this.#key = key
  }

  leave (): void {
    this.#door.left(this.#key)
  }
}
