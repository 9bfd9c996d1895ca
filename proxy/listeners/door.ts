import type { MaybePromise } from '../pipeline/body.ts'
import { clientKey } from '../pipeline/client-key.ts'
import { OwnShares, type Share, type Shares } from '../pipeline/shares.ts'

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

export type Refusal = 'total' | 'client'

/** A limit that a connection comes under. */
interface Under {
  readonly share: () => Share
  readonly limit: number
  readonly refusal: Refusal
}

/** Counts connections and knows how many there may be. One for all listeners of all processes that serve. */
export class Door {
  /** May change while connections are open: it counts for the next one. */
  limits: DoorLimits
  readonly #shares: Shares
  readonly #total: Share

  constructor (limits: DoorLimits, shares: Shares = new OwnShares()) {
    this.limits = limits
    this.#shares = shares
    this.#total = shares.named('connections')
  }

  /**
   * `client`: its address; `undefined` for one that speaks for many. `listener`: where it came in, when others accept from the same socket. Gives a
   * place, or the name of the limit that leaves none; a promise where other processes have to be asked.
   */
  enter (client: string | undefined, listener?: { readonly id: string, readonly maxConnections: number }): MaybePromise<Place | Refusal> {
    const { maxConnections, maxConnectionsPerClient } = this.limits
    const under: Under[] = [{ share: () => this.#total, limit: maxConnections, refusal: 'total' }]
    if (listener !== undefined) under.push({ share: () => this.#shares.passing(`listener ${listener.id}`), limit: listener.maxConnections, refusal: 'total' })
    if (client !== undefined) under.push({ share: () => this.#shares.passing(`client ${clientKey(client)}`), limit: maxConnectionsPerClient, refusal: 'client' })
    return take(under, [])
  }
}

/** Takes a place under each limit. Where one is refused, those `taken` before it are given back. */
function take (under: readonly Under[], taken: readonly Share[]): MaybePromise<Place | Refusal> {
  const held = [...taken]
  for (const { share: shareOf, limit, refusal } of under.slice(held.length)) {
    const share = shareOf()
    const got = share.take(limit)
    if (got instanceof Promise) return got.then((gotIt) => gotIt ? take(under, [...held, share]) : refuse(held, refusal))
    if (!got) return refuse(held, refusal)
    held.push(share)
  }
  return { leave: () => { for (const share of held) share.give() } }
}

function refuse (held: readonly Share[], refusal: Refusal): Refusal {
  for (const share of held) share.give()
  return refusal
}
