import type { Meant } from './store.ts'
import type { Flight } from './flight.ts'

/** What is being fetched: by key where others may join, and all of it for purges. */
export class Flights {
  readonly #joinable = new Map<string, Flight>()
  readonly #all = new Set<Flight>()

  of (key: string): Flight | undefined {
    return this.#joinable.get(key)
  }

  add (flight: Flight, joinable: boolean): void {
    this.#all.add(flight)
    if (joinable) this.#joinable.set(flight.key, flight)
  }

  /** Nobody joins it any more. */
  close (flight: Flight): void {
    if (this.#joinable.get(flight.key) === flight) this.#joinable.delete(flight.key)
  }

  remove (flight: Flight): void {
    this.close(flight)
    this.#all.delete(flight)
  }

  outdate (isMeant: Meant, byTag: boolean): void {
    for (const flight of this.#all) {
      // How it will be marked is not known before it is there.
      const isUnknown = byTag && flight.tags === undefined
      if (!isUnknown && !isMeant(flight.address, flight.tags ?? [])) continue
      flight.outdate()
      this.close(flight)
    }
  }

  get size (): number {
    return this.#all.size
  }
}
