import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { tellWaiting } from './connecting-times.ts'
import type { Link } from './link.ts'
import type { SharedLink } from './shared-link.ts'

/** Where an exchange finds room: a connection of its own, or one with others. */
export type Place = Link | SharedLink

/** What an exchange needs of a connection; an upgrade may have to be asked for in HTTP/1.1, and a target may ask to be asked in it. */
export type Need = 'exchange' | 'tunnel' | 'http/1.1'

export interface Waiter {
  /** What the connection has to begin with. */
  readonly greeting: string
  readonly need: Need
  resolve (place: Place): void
  reject (error: Error): void
}

/** Exchanges that wait for a connection, the first to come in front. */
export class Waiters {
  readonly #all = new Set<Waiter>()
  readonly #timeoutMs: number

  constructor (timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  get size (): number {
    return this.#all.size
  }

  get first (): Waiter | undefined {
    for (const waiter of this.#all) return waiter
    return undefined
  }

  [Symbol.iterator] (): Iterator<Waiter> {
    return this.#all.values()
  }

  /** Rejects with UPSTREAM_BUSY when nothing gets free in time, and with UPSTREAM_TIMEOUT at `endMs`. Tells `x` how long it took. */
  wait (ending: EndSignal, greeting: string, need: Need, endMs: number, x: Exchange): Promise<Place> {
    return new Promise((resolve, reject) => {
      const sinceMs = performance.now()
      const settle = (place: Place | undefined): void => {
        tellWaiting(x, place, sinceMs)
        this.#all.delete(waiter)
        clearTimeout(timer)
        ending.ignore(waiter)
      }
      const waiter: Waiter & EndListener = {
        greeting,
        need,
        resolve: (place) => { settle(place); resolve(place) },
        reject: (error) => { settle(undefined); reject(error) },
        onExchangeEnd: (reason) => waiter.reject(reason),
      }
      const leftMs = endMs === Infinity ? Infinity : Math.max(0, endMs - sinceMs)
      const fault = leftMs > this.#timeoutMs
        ? () => new Fault('UPSTREAM_BUSY', `no connection got free in ${this.#timeoutMs} ms`)
        : () => new Fault('UPSTREAM_TIMEOUT', 'no connection got free in the time of the whole exchange')
      const timer = setTimeout(() => waiter.reject(fault()), Math.min(this.#timeoutMs, leftMs))
      this.#all.add(waiter)
      ending.listen(waiter)
    })
  }

  rejectAll (error: Error): void {
    for (const waiter of this.#all) waiter.reject(error)
  }
}
