import { clientKey } from '../pipeline/client-key.ts'
import { Fault } from '../pipeline/faults.ts'

export interface PlaceLimits {
  /** Infinity: any number. */
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
}

/** Who has a tunnel on a route. Outlives configurations, as tunnels do. */
export class Places {
  #taken = 0
  readonly #byClient = new Map<string, number>()

  get taken (): number {
    return this.#taken
  }

  /** Throws when there is none left. */
  take (address: string, { maxConnections, maxConnectionsPerIp }: PlaceLimits): void {
    if (this.#taken >= maxConnections) throw new Fault('TUNNELS_FULL', `${this.#taken} tunnels are open on the route`)
    const client = clientKey(address)
    const own = this.#byClient.get(client) ?? 0
    if (own >= maxConnectionsPerIp) throw new Fault('CLIENT_TUNNELS_FULL', `${own} tunnels of ${address} are open on the route`)
    this.#taken++
    this.#byClient.set(client, own + 1)
  }

  giveBack (address: string): void {
    this.#taken--
    const client = clientKey(address)
    const own = this.#byClient.get(client) ?? 0
    if (own > 1) this.#byClient.set(client, own - 1)
    else this.#byClient.delete(client)
  }
}
