/** The streams that ended last: what arrives for one of them has crossed its end, what arrives for an older one is an error. */
export class RecentIds {
  readonly #ids = new Int32Array(128)
  #next = 0

  add (id: number): void {
    this.#ids[this.#next] = id
    this.#next = (this.#next + 1) % this.#ids.length
  }

  has (id: number): boolean {
    return this.#ids.includes(id)
  }
}
