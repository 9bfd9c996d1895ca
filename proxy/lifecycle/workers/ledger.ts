export interface Borrower {
  readonly ended: boolean
  /** Asks for what it has of a limit and does not use. Resolves when it was given back. */
  recall (share: string): Promise<void>
}

/**
 * What main lends of each limit to the workers, so that together they never have more than the limit. A worker takes a few at a time and decides
 * by itself while it has some; who finds nothing left makes the others give back what they do not use.
 */
export class Ledger<B extends Borrower> {
  readonly #lent = new Map<string, Map<B, number>>()

  /** Resolves with how many `borrower` gets: at most `count`, 0 when the limit is reached. */
  async borrow (borrower: B, share: string, count: number, limit: number): Promise<number> {
    const free = this.#take(borrower, share, count, limit)
    if (free > 0) return free
    const others = [...this.#lent.get(share)?.keys() ?? []].filter((other) => other !== borrower)
    await Promise.all(others.map((other) => other.recall(share)))
    return this.#take(borrower, share, count, limit)
  }

  /** It has taken so many already, when there was no limit. */
  owe (borrower: B, share: string, count: number): void {
    this.#take(borrower, share, count, Infinity)
  }

  giveBack (borrower: B, share: string, count: number): void {
    const lent = this.#lent.get(share)
    const has = (lent?.get(borrower) ?? 0) - count
    if (has > 0) return void lent?.set(borrower, has)
    lent?.delete(borrower)
    if (lent?.size === 0) this.#lent.delete(share)
  }

  /** It is gone, with all that it used. */
  forget (borrower: B): void {
    for (const [share, lent] of this.#lent) {
      lent.delete(borrower)
      if (lent.size === 0) this.#lent.delete(share)
    }
  }

  #take (borrower: B, share: string, count: number, limit: number): number {
    if (borrower.ended) return 0
    const lent = this.#lent.get(share) ?? new Map<B, number>()
    let out = 0
    for (const has of lent.values()) out += has
    const taken = Math.max(0, Math.min(count, limit - out))
    if (taken === 0) return 0
    this.#lent.set(share, lent.set(borrower, (lent.get(borrower) ?? 0) + taken))
    return taken
  }
}
