import type { Exchange, Filter, Peer } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'

/** Connections that have a request on one route. It outlives a reload, as connections do. */
export class RoutePlaces {
  /** Exchanges of each connection: there are several where a connection carries several at a time. */
  readonly #connections = new Map<Peer, Set<Exchange>>()

  enter (x: Exchange, max: number): boolean {
    const exchanges = this.#connections.get(x.peer)
    if (exchanges !== undefined) exchanges.add(x)
    else if (this.#connections.size < max) this.#connections.set(x.peer, new Set([x]))
    else return false
    return true
  }

  leave (x: Exchange): void {
    const exchanges = this.#connections.get(x.peer)
    if (exchanges?.delete(x) === true && exchanges.size === 0) this.#connections.delete(x.peer)
  }
}

/** First in a route: refuses what there is no place for before anybody is asked. */
export function placesFilter (places: RoutePlaces, max: number): Filter {
  return {
    name: 'max-connections-per-route',
    onRequest (x) {
      if (!places.enter(x, max)) throw new Fault('ROUTE_BUSY', `${max} connections`)
      return undefined
    },
    onDone: (x) => places.leave(x),
  }
}
