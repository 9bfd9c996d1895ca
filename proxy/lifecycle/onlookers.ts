import type { Seen, TailFilter } from '../pipeline/tail-filter.ts'
import type { DataPath, MainSide } from './seam.ts'

/** Those who look at exchanges as they end, whoever serves them. */
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
    this.#path()?.tail(id, filter)
    this.#all.set(id, take)
    return () => {
      this.#all.delete(id)
      this.#path()?.tail(id, undefined)
    }
  }

  readonly seen: MainSide['seen'] = (tail, seen, sent) => {
    this.#all.get(tail)?.(seen)
    sent()
  }
}
