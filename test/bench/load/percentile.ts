/** The nearest rank: the smallest value that at least this share of all values does not exceed. Zero of none. */
export function percentile (sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
}

/** Collects latencies without an object for each. */
export class Latencies {
  #values = new Float64Array(1 << 16)
  #length = 0

  add (ms: number): void {
    if (this.#length === this.#values.length) {
      const wider = new Float64Array(this.#length * 2)
      wider.set(this.#values)
      this.#values = wider
    }
    this.#values[this.#length++] = ms
  }

  get count (): number {
    return this.#length
  }

  summary (): { readonly p50Ms: number, readonly p99Ms: number } {
    const sorted = this.#values.slice(0, this.#length).sort()
    return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99) }
  }
}
