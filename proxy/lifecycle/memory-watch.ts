import type { Log } from '../observe/log.ts'

const everyMs = 250
/** Requests are let in again when so much of the limit is in use, so that it does not change with every look. */
const enough = 0.95

/** Looks at the memory of this process, and says when it is too much for new requests. */
export class MemoryWatch {
  /** Why no request is let in at present. */
  refusal: string | undefined = undefined
  readonly #log: Log
  #limit = Infinity
  #clock: NodeJS.Timeout | undefined = undefined

  constructor (log: Log) {
    this.#log = log
  }

  /** Bytes of resident memory; Infinity: nobody looks. */
  set limit (bytes: number) {
    this.#limit = bytes
    clearInterval(this.#clock)
    this.#clock = bytes === Infinity ? undefined : setInterval(() => this.#look(), everyMs).unref()
    this.#look()
  }

  #look (): void {
    const limited = this.refusal !== undefined
    const used = this.#limit === Infinity ? 0 : process.memoryUsage.rss()
    if (used > this.#limit) {
      this.refusal = `${megabytes(used)} MB of memory are in use, ${megabytes(this.#limit)} may be`
      if (!limited) this.#log.warn(`requests are refused: ${this.refusal}`, { event: 'memory-limited', code: 'OVERLOADED' })
    } else if (limited && used <= this.#limit * enough) {
      this.refusal = undefined
      this.#log.info('requests are let in again: there is memory', { event: 'memory-free' })
    }
  }
}

function megabytes (bytes: number): number {
  return Math.round(bytes / 1e6)
}
