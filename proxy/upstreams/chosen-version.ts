export type HttpVersion = 'http/1.1' | 'h2'

/** How long a target that chose HTTP/1.1 is taken at its word: then a new connection asks it again. */
const believedMs = 5 * 60_000

/** What a target speaks, as far as is known. It may change its mind: others answer behind the same address, or it was restarted. */
export class ChosenVersion {
  /** It may choose; otherwise what was given is all there is. */
  readonly #open: boolean
  #version: HttpVersion | 'unknown'
  #believedUntilMs = Infinity

  constructor (version: HttpVersion | 'unknown') {
    this.#open = version === 'unknown'
    this.#version = version
  }

  get now (): HttpVersion | 'unknown' {
    if (this.#believedUntilMs !== Infinity && performance.now() >= this.#believedUntilMs) this.doubt()
    return this.#version
  }

  learn (version: HttpVersion): void {
    if (!this.#open) return
    this.#version = version
    this.#believedUntilMs = version === 'h2' ? Infinity : performance.now() + believedMs
  }

  /** Something failed that would not have if it were so. */
  doubt (): void {
    if (!this.#open) return
    this.#version = 'unknown'
    this.#believedUntilMs = Infinity
  }
}
