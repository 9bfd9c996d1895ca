/** Places of an empty table; there are always powers of two of them. */
const fewest = 16

/**
 * A table of what is open, by number: exchanges of a stream, streams of a connection. Numbers are whole, 0 to 2^53 - 1.
 *
 * In the place of a Map where entries come and go all the time and the table stays. A Map that has to make room makes another table of its entries, and
 * V8 lets the one before point to it. Once such a table is old, and after a full collection of garbage one always is, each next one and all that it held
 * grow old with it until the next full collection: a fifth of everything that requests allocated (test/unit/proto/numbered.test.ts). Where keys are
 * objects and nobody walks through them, a WeakMap has none of that.
 *
 * Open addressing with linear probing; whoever is deleted leaves no mark, those behind move up (Knuth, The Art of Computer Programming, volume 3, section
 * 6.4, algorithm R).
 */
export class Numbered<T extends object> {
  #numbers = new Float64Array(fewest)
  #values: Array<T | undefined> = emptyPlaces(fewest)
  #size = 0

  get size (): number {
    return this.#size
  }

  get (number: number): T | undefined {
    return this.#values[this.#placeOf(number)]
  }

  has (number: number): boolean {
    return this.get(number) !== undefined
  }

  set (number: number, value: T): void {
    let place = this.#placeOf(number)
    if (this.#values[place] === undefined) {
      if (++this.#size * 2 > this.#values.length) {
        this.#resize(this.#values.length * 2)
        place = this.#placeOf(number)
      }
      this.#numbers[place] = number
    }
    this.#values[place] = value
  }

  /** Whether there was one. */
  delete (number: number): boolean {
    const place = this.#placeOf(number)
    if (this.#values[place] === undefined) return false
    this.#closeGap(place)
    if (--this.#size * 8 < this.#values.length && this.#values.length > fewest) this.#resize(this.#values.length / 2)
    return true
  }

  clear (): void {
    this.#numbers = new Float64Array(fewest)
    this.#values = emptyPlaces(fewest)
    this.#size = 0
  }

  /** Those that are there now, in the order of their numbers. A copy: entries may come and go while it is walked through. */
  values (): T[] {
    const numbers = [...this.#numbers].filter((_, place) => this.#values[place] !== undefined)
    return numbers.sort((a, b) => a - b).map((number) => this.get(number)!) // Filtered above.
  }

  /** Where it is, or where it would go. */
  #placeOf (number: number): number {
    const numbers = this.#numbers
    const values = this.#values
    const mask = values.length - 1
    let place = home(number, mask)
    // At least half of the places are free.
    while (values[place] !== undefined && numbers[place] !== number) place = (place + 1) & mask
    return place
  }

  #closeGap (first: number): void {
    const numbers = this.#numbers
    const values = this.#values
    const mask = values.length - 1
    let gap = first
    for (let place = (gap + 1) & mask; values[place] !== undefined; place = (place + 1) & mask) {
      const number = numbers[place]! // As long as `values`.
      // It may move up as far as its home.
      if (((place - home(number, mask)) & mask) < ((place - gap) & mask)) continue
      numbers[gap] = number
      values[gap] = values[place]
      gap = place
    }
    values[gap] = undefined
  }

  #resize (places: number): void {
    const numbers = this.#numbers
    const values = this.#values
    this.#numbers = new Float64Array(places)
    this.#values = emptyPlaces(places)
    for (let place = 0; place < values.length; place++) {
      if (values[place] === undefined) continue
      const to = this.#placeOf(numbers[place]!)
      this.#numbers[to] = numbers[place]!
      this.#values[to] = values[place]
    }
  }
}

function emptyPlaces (count: number): undefined[] {
  return Array.from({ length: count }, () => undefined)
}

/** Fibonacci hashing: neighbouring numbers, and those with a step between them, are spread out. */
function home (number: number, mask: number): number {
  const spread = Math.imul(number, 0x9e3779b1)
  return (spread ^ (spread >>> 15)) & mask
}
