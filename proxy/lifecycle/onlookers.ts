import type { Seen, TailFilter } from '../pipeline/tail-filter.ts'
import type { DataPath } from './seam.ts'

/** Those who look on at exchanges as they end (`sentinel tail`), in all workers. */
export class Onlookers {
  readonly #path: () => DataPath | undefined
  readonly #all = new Map<number, (seen: Seen) => void>()
  #begun = 0

  constructor (path: () => DataPath | undefined) {
    this.#path = path
  }

  /** Gives `take` what is seen of exchanges that fit, until the function is called that it gives. Throws when the filter cannot be. */
  begin (filter: TailFilter, take: (seen: Seen) => void): () => void {
    const id = ++this.#begun
    this.#path()!.tail(id, filter) // Asked while the proxy serves.
    this.#all.set(id, take)
    return () => {
      this.#all.delete(id)
      this.#path()?.tail(id, undefined)
    }
  }

  take (id: number, seen: Seen): void {
    this.#all.get(id)?.(seen)
  }
}
