import type { WarmthSettings } from './settings.ts'

/** The usual time of a completion, out of the first good ones; a later one that takes many times as long shows a model that had to be loaded again. */
export class Warmth {
  readonly #settings: WarmthSettings
  readonly #samples: number[] = []

  constructor (settings: WarmthSettings) {
    this.#settings = settings
  }

  /** Whether a completion of so many milliseconds is one of a cold target. */
  isCold (ms: number): boolean {
    const { sampleSize, coldFactor } = this.#settings
    const usualMs = this.#samples.length < sampleSize ? Infinity : medianOf(this.#samples)
    if (ms > usualMs * coldFactor) return true
    this.#samples.push(ms)
    if (this.#samples.length > sampleSize) this.#samples.shift()
    return false
  }
}

export function medianOf (values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
