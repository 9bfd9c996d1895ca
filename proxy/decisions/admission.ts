import { Fault } from '../pipeline/faults.ts'

interface Waiter {
  enter (): void
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
   * (`performance.now`) comes first; throws AGENT_QUEUE_FULL when the line is full. Whoever got a place gives it back with `leave`.
   */
  enter (deadlineMs: number): Promise<void> | undefined {
    if (this.#taken < this.#places) {
      this.#taken++
      return undefined
    }
    if (this.#waiting.size >= this.#line) throw new Fault('AGENT_QUEUE_FULL', `${this.#taken} calls in flight, ${this.#line} waiting`)
    return new Promise((resolve, reject) => {
      const waiter = {
        enter: () => {
          clearTimeout(timer)
          resolve()
        },
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(waiter)
        reject(new Fault('AGENT_TIMEOUT', 'the deadline passed before the call could be sent'))
      }, Math.max(0, deadlineMs - performance.now()))
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
    this.#waiting.delete(next)
    next.enter()
  }
}

/** Places of a filter of its own: as many more wait for one. */
export function callPlaces (places: number): Admission {
  return new Admission(places, places)
}
