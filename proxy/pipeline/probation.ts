/**
 * Nobody knows whether a target is well again: it has so many tries at a time to find out. A place is free as soon as its try has told what it can (an event
 * stream that answered would keep it for hours), and one that was given up tells nothing. Tries that were on their way before are none of it: they are known
 * by when they began.
 */
export class Probation {
  readonly places: number
  readonly #sinceMs = performance.now()
  #taken = 0

  constructor (places: number) {
    this.places = places
  }

  get isFull (): boolean {
    return this.#taken >= this.places
  }

  begin (): void {
    this.#taken++
  }

  /** A try that took so long has ended, one way or the other. Whether it was a probe. */
  end (ms: number): boolean {
    if (performance.now() - ms < this.#sinceMs) return false
    if (this.#taken > 0) this.#taken--
    return true
  }
}
