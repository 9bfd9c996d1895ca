import type { MaybePromise } from '../pipeline/body.ts'
import { clientKey } from '../pipeline/client-key.ts'
import { Fault } from '../pipeline/faults.ts'
import { OwnShares, type Share, type Shares } from '../pipeline/shares.ts'

export interface PlaceLimits {
  /** Infinity: any number. */
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
}

/** What a tunnel holds while it is open. */
export interface TunnelPlace {
  giveBack (): void
}

/** Who has a tunnel on a route, in all processes that serve. Outlives configurations, as tunnels do. */
export class Places {
  readonly #shares: Shares
  readonly #route: string
  #taken = 0

  constructor (shares: Shares = new OwnShares(), route = '') {
    this.#shares = shares
    this.#route = route
  }

  /** Here. */
  get taken (): number {
    return this.#taken
  }

  /** Throws, or rejects with, a `Fault` when there is none left. A promise where other processes have to be asked. */
  take (address: string, { maxConnections, maxConnectionsPerIp }: PlaceLimits): MaybePromise<TunnelPlace> {
    const ofRoute = this.#shares.passing(`tunnels ${this.#route}`)
    const got = ofRoute.take(maxConnections)
    const go = (gotOne: boolean): MaybePromise<TunnelPlace> => {
      if (!gotOne) throw new Fault('TUNNELS_FULL', `${maxConnections} tunnels are open on the route`)
      return this.#takeOfClient(ofRoute, address, maxConnectionsPerIp)
    }
    return got instanceof Promise ? got.then(go) : go(got)
  }

  #takeOfClient (ofRoute: Share, address: string, max: number): MaybePromise<TunnelPlace> {
    const ofClient = this.#shares.passing(`tunnels ${this.#route} of ${clientKey(address)}`)
    const got = ofClient.take(max)
    const go = (gotOne: boolean): TunnelPlace => {
      if (gotOne) return this.#place(ofRoute, ofClient)
      ofRoute.give()
      throw new Fault('CLIENT_TUNNELS_FULL', `${max} tunnels of ${address} are open on the route`)
    }
    return got instanceof Promise ? got.then(go) : go(got)
  }

  #place (...shares: readonly Share[]): TunnelPlace {
    this.#taken++
    return {
      giveBack: () => {
        this.#taken--
        for (const share of shares) share.give()
      },
    }
  }
}
