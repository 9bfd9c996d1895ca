import { AgentFailure } from './failure.ts'
import type { Log } from './log.ts'

/** Pieces of work at once. What does not end adds up, and the memory of an agent is not for that. */
const maxAtOnce = 1000
/** Between two lines that say how much was not begun. */
const quietMs = 10_000

/** Work that goes on after its answer. An agent that drains waits for it. */
export class Background {
  readonly #log: Log
  #running = 0
  #refused = 0
  #lastSaid = -Infinity
  #whenIdle: (() => void)[] = []

  constructor (log: Log) {
    this.#log = log
  }

  /** Pieces that have not ended. */
  get running (): number {
    return this.#running
  }

  /** Waits for `work`, or begins it. False when too much is going on: a function is not called then. Never throws. */
  add (work: PromiseLike<unknown> | (() => unknown)): boolean {
    if (this.#running >= maxAtOnce) {
      // What goes on already cannot be stopped; only nobody waits for it.
      if (typeof work !== 'function') void this.#settled(work)
      this.#refuse()
      return false
    }
    this.#running++
    void this.#settled(work).then(() => this.#ended())
    return true
  }

  /** Resolves when nothing is going on. */
  idle (): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise((resolve) => this.#whenIdle.push(resolve))
  }

  async #settled (work: PromiseLike<unknown> | (() => unknown)): Promise<void> {
    try {
      await (typeof work === 'function' ? work() : work)
    } catch (error) {
      this.#log.error({ error, code: error instanceof AgentFailure ? error.code : undefined }, 'work after an answer failed')
    }
  }

  #ended (): void {
    this.#running--
    if (this.#running > 0) return
    const waiting = this.#whenIdle
    this.#whenIdle = []
    for (const resolve of waiting) resolve()
  }

  #refuse (): void {
    this.#refused++
    const now = performance.now()
    if (now - this.#lastSaid < quietMs) return
    this.#log.warn({ refused: this.#refused, running: this.#running }, 'too much work goes on after answers; what comes on top is not waited for')
    this.#lastSaid = now
    this.#refused = 0
  }
}
