import type { Grant } from '../pipeline/rates.ts'
import type { RateStore, Spacing } from './stored-rates.ts'

export interface WatchSettings {
  /** For each answer. */
  readonly timeoutMs: number
  /** The store does not answer, or does so again. The message is for the log; nothing secret is in it. */
  readonly changed: (works: boolean, message: string) => void
}

/** So many failures one after the other mean that it is of no use to ask. */
const failuresInARow = 3
/** One request in this time finds out whether it is of use again. */
const probeMs = 250
/** More are not asked at a time. */
const mostAsking = 10_000

/** A store that is waited for no longer than may be, and left alone while it does not answer: nobody waits for what fails anyway. */
export class WatchedStore implements RateStore {
  readonly #store: RateStore
  readonly #settings: WatchSettings
  #failures = 0
  #quietUntilMs = 0
  #asking = 0

  constructor (store: RateStore, settings: WatchSettings) {
    this.#store = store
    this.#settings = settings
  }

  async take (key: string, spacing: Spacing, count: number, maxWaitMs: number): Promise<Grant> {
    if (this.#failures >= failuresInARow) {
      const nowMs = performance.now()
      if (nowMs < this.#quietUntilMs) throw new Error('the store of rate limits does not answer')
      this.#quietUntilMs = nowMs + probeMs
    }
    if (this.#asking >= mostAsking) throw new Error('too many questions wait for the store of rate limits')
    this.#asking++
    try {
      const grant = await this.#inTime(this.#store.take(key, spacing, count, maxWaitMs))
      this.#succeeded()
      return grant
    } catch (error) {
      throw this.#failed(error)
    } finally {
      this.#asking--
    }
  }

  close (): Promise<void> {
    return this.#store.close()
  }

  #succeeded (): void {
    if (this.#failures >= failuresInARow) this.#settings.changed(true, 'the store of rate limits answers again')
    this.#failures = 0
  }

  /** Only its words go on: the error of a client may have what it sent beside them, a password for one. */
  #failed (error: unknown): Error {
    const reason = error instanceof Error ? error.message.slice(0, 200) : 'unknown'
    if (++this.#failures === failuresInARow) {
      this.#quietUntilMs = performance.now() + probeMs
      this.#settings.changed(false, `the store of rate limits fails: ${reason}`)
    }
    return new Error(`the store of rate limits: ${reason}`)
  }

  #inTime (coming: Promise<Grant>): Promise<Grant> {
    const { timeoutMs } = this.#settings
    return new Promise((resolve, reject) => {
      // What has arrived while this process was busy is read first: timers run before sockets.
      const timer = setTimeout(() => setImmediate(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs)
      coming.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}
