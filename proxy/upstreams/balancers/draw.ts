import type { Candidate } from './balancer.ts'

/** Draws by lot, each with the chance of its weight. */
export class Draw<C extends Candidate> {
  readonly #random: () => number
  #all: readonly C[] = []
  #weights: readonly number[] = []
  /** Weights of all up to each one. */
  #sums: number[] = []
  #total = 0

  constructor (random: () => number) {
    this.#random = random
  }

  /** Those of weight 0 or less are never drawn. */
  use (all: readonly C[], weights: readonly number[]): void {
    this.#all = all
    this.#weights = weights
    this.#total = 0
    this.#sums = weights.map((weight) => (this.#total += Math.max(0, weight)))
  }

  /** Anyone but those in `skip` and `but`; `undefined` when nobody is left. */
  next (skip: ReadonlySet<C> | undefined, but?: C): C | undefined {
    return skip === undefined && but === undefined ? this.#fromAll() : this.#fromOthers(skip, but)
  }

  #fromAll (): C | undefined {
    if (this.#total === 0) return undefined
    const at = this.#random() * this.#total
    let low = 0
    let high = this.#sums.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#sums[middle]! > at) high = middle
      else low = middle + 1
    }
    return this.#all[low]
  }

  #fromOthers (skip: ReadonlySet<C> | undefined, but: C | undefined): C | undefined {
    let left = 0
    for (let i = 0; i < this.#all.length; i++) if (this.#mayBe(i, skip, but)) left += this.#weights[i]!
    let at = this.#random() * left
    let last: C | undefined
    for (let i = 0; i < this.#all.length; i++) {
      if (!this.#mayBe(i, skip, but)) continue
      last = this.#all[i]
      if ((at -= this.#weights[i]!) < 0) break
    }
    return last
  }

  #mayBe (i: number, skip: ReadonlySet<C> | undefined, but: C | undefined): boolean {
    const one = this.#all[i]!
    return this.#weights[i]! > 0 && one !== but && (skip === undefined || !skip.has(one))
  }
}
