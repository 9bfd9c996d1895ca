import type { Entry } from '../../evidence/chain.ts'
import type { ToMain } from './messages.ts'

/** Records on their way to main; more are counted as lost, as the writer does with those that find its queue full. */
const mostOnTheWay = 10_000

/** Records go to main together, those of one turn in one message. */
export class EvidenceOutbox {
  readonly #send: (message: ToMain, sent: () => void) => void
  readonly #waiting = new Map<number, { entries: Entry[], dropped: number }>()
  #onTheWay = 0
  #turn: NodeJS.Immediate | undefined

  constructor (send: (message: ToMain, sent: () => void) => void) {
    this.#send = send
  }

  add (generation: number, entry: Entry): void {
    if (this.#onTheWay >= mostOnTheWay) return this.lost(generation, 1)
    this.#onTheWay++
    this.#of(generation).entries.push(entry)
  }

  lost (generation: number, count: number): void {
    this.#of(generation).dropped += count
  }

  flush (): void {
    clearImmediate(this.#turn)
    this.#turn = undefined
    for (const [generation, { entries, dropped }] of this.#waiting) {
      this.#send({ from: 'evidence', generation, entries, dropped }, () => { this.#onTheWay -= entries.length })
    }
    this.#waiting.clear()
  }

  #of (generation: number): { entries: Entry[], dropped: number } {
    let waiting = this.#waiting.get(generation)
    if (waiting === undefined) this.#waiting.set(generation, waiting = { entries: [], dropped: 0 })
    this.#turn ??= setImmediate(() => this.flush())
    return waiting
  }
}
