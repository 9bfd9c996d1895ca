import { Fault } from '../pipeline/faults.ts'

export interface PlaceLimits {
  /** Infinity: any number. */
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
}

/** Who has a tunnel on a route. Outlives configurations, as tunnels do. */
export class Places {
  #taken = 0
  readonly #byAddress = new Map<string, number>()

  get taken (): number {
    return this.#taken
  }

  /** Throws when there is none left. */
  take (address: string, { maxConnections, maxConnectionsPerIp }: PlaceLimits): void {
    if (this.#taken >= maxConnections) throw new Fault('TUNNELS_FULL', `${this.#taken} tunnels are open on the route`)
    const own = this.#byAddress.get(address) ?? 0
    if (own >= maxConnectionsPerIp) throw new Fault('CLIENT_TUNNELS_FULL', `${own} tunnels of ${address} are open on the route`)
    this.#taken++
    this.#byAddress.set(address, own + 1)
  }

  giveBack (address: string): void {
    this.#taken--
    const own = this.#byAddress.get(address) ?? 0
    if (own > 1) this.#byAddress.set(address, own - 1)
    else this.#byAddress.delete(address)
  }
}
