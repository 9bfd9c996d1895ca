/** A field as it stands in a block or in the table. `flaw` is what is wrong with its name or value as a field of HTTP, found once when it was read. */
export interface Entry {
  readonly name: string
  readonly value: string
  readonly flaw: string | undefined
}

/** RFC 7541 section 4.1. */
const entryOverhead = 32

/** The fields that both sides remember (RFC 7541 section 2.3.2), the newest first. Bounded by its size, whatever is put into it. */
export class DynamicTable {
  /** A ring: `#first` is the place of the newest. */
  readonly #ring: Array<Entry | undefined>
  readonly #mask: number
  #first = 0
  #count = 0
  #size = 0
  #maxSize: number

  constructor (maxSize: number) {
    this.#maxSize = maxSize
    // The smallest entry is as large as its overhead.
    const places = 1 << Math.max(0, 32 - Math.clz32(Math.ceil(maxSize / entryOverhead)))
    this.#ring = []
    this.#mask = places - 1
  }

  get count (): number {
    return this.#count
  }

  /** `index` from 0, the newest. */
  get (index: number): Entry | undefined {
    return index < this.#count ? this.#ring[this.#first + index & this.#mask] : undefined
  }

  add (entry: Entry): void {
    const size = entry.name.length + entry.value.length + entryOverhead
    this.#evict(this.#maxSize - size)
    if (size > this.#maxSize) return
    this.#first = this.#first - 1 & this.#mask
    this.#ring[this.#first] = entry
    this.#count++
    this.#size += size
  }

  /** Not above what the constructor was given. */
  resize (maxSize: number): void {
    this.#maxSize = maxSize
    this.#evict(maxSize)
  }

  /** Drops the oldest until the rest takes no more than `size`. */
  #evict (size: number): void {
    while (this.#size > size && this.#count > 0) {
      const last = this.#first + --this.#count & this.#mask
      const entry = this.#ring[last]!
      this.#ring[last] = undefined
      this.#size -= entry.name.length + entry.value.length + entryOverhead
    }
  }
}
