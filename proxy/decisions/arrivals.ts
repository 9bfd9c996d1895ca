import type { Socket } from 'node:net'
import type { Arriving } from './settings.ts'

/** An agent at the door, known and believed. */
export interface Visitor {
  /** Its process, as it names itself: a word that nothing depends on. */
  readonly instance: string
  /** Lets it in. `then` gets its connection, never at once, or `undefined` when it has gone. */
  admit (then: (socket: Socket | undefined) => void): void
  /** Asks it to wait: it is called in when there is room. */
  park (): void
  /** There is no room. */
  turnAway (): void
}

interface Place {
  readonly take: (socket: Socket) => void
  /** Nobody wants it filled any more. */
  given: boolean
}

/** Processes of one agent of which a connection waits. */
const maxParked = 8

/**
 * Agents that connect to the proxy, and the places that wait for them. Each process of an agent may have one connection more than there are places for:
 * that one waits, so that a place that falls free is taken at once.
 */
export class Arrivals {
  readonly #places = new Map<string, Set<Place>>()
  /** By the agent, and by the process as it names itself. */
  readonly #parked = new Map<string, Map<string, Visitor>>()

  /** The places of one agent. */
  of (agent: string): Arriving {
    return {
      wait: (take) => {
        const place: Place = { take, given: false }
        this.#offer(agent, place)
        return () => {
          place.given = true
          this.#forget(agent, place)
        }
      },
    }
  }

  arrive (agent: string, visitor: Visitor): 'accepted' | 'waits' | 'enough' {
    // What was configured last: an agent whose settings have changed moves there.
    const place = [...this.#places.get(agent) ?? []].at(-1)
    if (place !== undefined) {
      this.#fill(agent, place, visitor)
      return 'accepted'
    }
    const parked = this.#parked.get(agent) ?? new Map<string, Visitor>()
    if (parked.has(visitor.instance) || parked.size >= maxParked) {
      visitor.turnAway()
      return 'enough'
    }
    this.#parked.set(agent, parked.set(visitor.instance, visitor))
    visitor.park()
    return 'waits'
  }

  /** It has gone while it waited. */
  left (agent: string, visitor: Visitor): void {
    const parked = this.#parked.get(agent)
    if (parked?.get(visitor.instance) !== visitor) return
    parked.delete(visitor.instance)
    if (parked.size === 0) this.#parked.delete(agent)
  }

  /** Those who wait by what was valid before are sent away, and may come again. */
  turnAway (stays: (agent: string) => boolean = () => false): void {
    for (const [agent, parked] of this.#parked) {
      if (stays(agent)) continue
      this.#parked.delete(agent)
      for (const visitor of parked.values()) visitor.turnAway()
    }
  }

  #offer (agent: string, place: Place): void {
    const [visitor] = this.#parked.get(agent)?.values() ?? []
    if (visitor !== undefined) {
      this.left(agent, visitor)
      return this.#fill(agent, place, visitor)
    }
    this.#places.set(agent, (this.#places.get(agent) ?? new Set()).add(place))
  }

  #fill (agent: string, place: Place, visitor: Visitor): void {
    this.#forget(agent, place)
    visitor.admit((socket) => {
      if (place.given) return void socket?.destroy()
      if (socket === undefined) return this.#offer(agent, place)
      place.given = true
      place.take(socket)
    })
  }

  #forget (agent: string, place: Place): void {
    const places = this.#places.get(agent)
    places?.delete(place)
    if (places?.size === 0) this.#places.delete(agent)
  }
}
