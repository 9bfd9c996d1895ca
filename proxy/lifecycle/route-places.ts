import type { MaybePromise } from '../pipeline/body.ts'
import type { Exchange, Filter, Peer } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { OwnShares, type Share, type Shares } from '../pipeline/shares.ts'

/** A connection with a request on the route. */
interface Connection {
  readonly share: Share
  /** There are several where a connection carries several at a time. */
  readonly exchanges: Set<Exchange>
}

/** Connections that have a request on one route, in all processes that serve. It outlives a reload, as connections do. */
export class RoutePlaces {
  readonly #shares: Shares
  readonly #nameOf: (x: Exchange) => string
  readonly #connections = new WeakMap<Peer, Connection>()

  /** `name`: what those are counted under that count together. */
  constructor (shares: Shares = new OwnShares(), name: string | ((x: Exchange) => string) = '') {
    this.#shares = shares
    this.#nameOf = typeof name === 'string' ? () => `route ${name}` : name
  }

  /** A promise where other processes have to be asked. */
  enter (x: Exchange, max: number): MaybePromise<boolean> {
    if (this.#join(x)) return true
    const share = this.#shares.passing(this.#nameOf(x))
    const got = share.take(max)
    const take = (gotOne: boolean): boolean => {
      // Another request of the connection may have been let in meanwhile: it has a place already.
      if (gotOne && this.#join(x)) share.give()
      else if (gotOne) this.#connections.set(x.peer, { share, exchanges: new Set([x]) })
      return gotOne
    }
    return got instanceof Promise ? got.then(take) : take(got)
  }

  leave (x: Exchange): void {
    const connection = this.#connections.get(x.peer)
    if (connection?.exchanges.delete(x) !== true || connection.exchanges.size > 0) return
    this.#connections.delete(x.peer)
    connection.share.give()
  }

  #join (x: Exchange): boolean {
    const connection = this.#connections.get(x.peer)
    connection?.exchanges.add(x)
    return connection !== undefined
  }
}

/** First in a route: refuses what there is no place for before anybody is asked. */
export function placesFilter (places: RoutePlaces, max: number): Filter {
  const judge = (entered: boolean): undefined => {
    if (!entered) throw new Fault('ROUTE_BUSY', `${max} connections`)
  }
  return {
    name: 'max-connections-per-route',
    onRequest (x) {
      const entered = places.enter(x, max)
      return entered instanceof Promise ? entered.then(judge) : judge(entered)
    },
    onDone: (x) => places.leave(x),
  }
}
