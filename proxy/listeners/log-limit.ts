/** Lines about failed handshakes of one listener in one window: whoever opens connections must not fill the disk. */
const maxLines = 20
const windowMs = 10_000

/** Lets a few lines through in each window, and tells with the next one how many it kept. */
export class LogLimit {
  readonly #now: () => number
  #began = -Infinity
  #lines = 0
  #kept = 0

  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** The line as it may be written; `undefined` when there were too many. */
  pass (line: string): string | undefined {
    const now = this.#now()
    if (now - this.#began >= windowMs) {
      this.#began = now
      this.#lines = 0
    }
    if (this.#lines >= maxLines) {
      this.#kept++
      return undefined
    }
    this.#lines++
    const kept = this.#kept
    this.#kept = 0
    return kept === 0 ? line : `${line} (${kept} more before it were not logged)`
  }
}
