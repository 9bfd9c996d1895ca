import { Fault } from '../pipeline/faults.ts'

interface Waiter {
  enter (): void
}

/** Who waits to ask something. */
export interface Asker {
  /** Why it can ask nothing any more, and need not wait. */
  readonly stopped: Fault | undefined
  /** Calls `listener` as soon as that is so. Gives how to take that back. Only while it is not `stopped`. */
  whenStopped (listener: (why: Fault) => void): () => void
}

/** Places for calls in flight, and a bounded line before them. First come, first served. */
export class Admission {
  readonly #places: number
  readonly #line: number
  #taken = 0
  readonly #waiting = new Set<Waiter>()

  constructor (places: number, line: number) {
    this.#places = places
    this.#line = line
  }

  get inFlight (): number {
    return this.#taken
  }

  get queued (): number {
    return this.#waiting.size
  }

  /**
   * Takes a place: at once (`undefined`), or when the promise resolves. Rejects with AGENT_TIMEOUT when the deadline
   * (`performance.now`) comes first, or with why the asker is stopped; throws AGENT_QUEUE_FULL when the line is full. Whoever got a place gives it back with `leave`.
   */
  enter (deadlineMs: number, asker: Asker): Promise<void> | undefined {
    if (this.#taken < this.#places) {
      this.#taken++
      return undefined
    }
    if (asker.stopped !== undefined) throw asker.stopped
    if (this.#waiting.size >= this.#line) throw new Fault('AGENT_QUEUE_FULL', `${this.#taken} calls in flight, ${this.#line} waiting`)
    return new Promise((resolve, reject) => {
      const waiter = {
        enter: () => {
          stepOut()
          resolve()
        },
      }
      const giveUp = (why: Fault): void => {
        stepOut()
        reject(why)
      }
      const forget = asker.whenStopped(giveUp)
      const timer = setTimeout(() => giveUp(new Fault('AGENT_TIMEOUT', 'the deadline passed before the call could be sent')), Math.max(0, deadlineMs - performance.now()))
      const stepOut = (): void => {
        clearTimeout(timer)
        forget()
        this.#waiting.delete(waiter)
      }
      this.#waiting.add(waiter)
    })
  }

  leave (): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#taken--
      return
    }
    // The place goes over: whoever waits in line is never overtaken.
    next.enter()
  }
}

/** Places of a filter of its own: as many more wait for one. */
export function callPlaces (places: number): Admission {
  return new Admission(places, places)
}
