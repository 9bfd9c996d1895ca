import type { EndListener, EndSignal } from '../pipeline/end-signal.ts'
import { Fault } from '../pipeline/faults.ts'
import type { ConcurrencyLimit } from './concurrency-limit.ts'

export interface AdmissionSettings {
  /** Requests that are worked on at a time. */
  readonly maxInFlight: number
  /** Requests that wait for a place; 0 = none does. */
  readonly maxQueued: number
  /** Longest wait of one. */
  readonly queueTimeoutMs: number
  /** A number below `maxInFlight` that follows what requests take; `undefined` for none. */
  readonly limit: ConcurrencyLimit | undefined
  /** Why nobody is let in at all at present, such as memory that runs out. */
  readonly refusal: () => string | undefined
}

/** Places of a limit that several processes have together, as far as this one has some of them. */
export interface Places {
  /** May be in flight here at present. */
  readonly most: number
  /** Who uses them; `advance` is called when there are more, or no more are to be had. */
  usedBy (user: PlacesUser): void
  /** All processes together may have so many. */
  limitTo (limit: number): void
  taken (inFlight: number): void
  left (inFlight: number): void
  /** Asks for more. Whether an answer is awaited. */
  want (): boolean
}

export interface PlacesUser {
  readonly inFlight: number
  readonly queued: number
  advance (): void
}

/** As many may wait for the answer, where otherwise none may wait. */
const mostAsking = 1024

/** For as long as the queue has been standing, nobody waits for longer than this, or than two answers take: there is no burst to wait out. */
const standingWaitMs = 10
/** A queue that was never empty in this time is standing. */
const standingAfterMs = 100
/** Share of an answer's time in what answers usually take. */
const usualWeight = 1 / 32
const tickMs = 5

/**
 * Places for requests that are worked on, and a queue for those that find none.
 *
 * A short queue carries a burst through. One that stands carries nothing: as many come as leave, and all of them late. So it is judged by how long it has
 * not been empty, not by its length (Nichols and Jacobson, Controlling Queue Delay, 2012; RFC 8289): while it stands, who waited for more than a moment is
 * refused, and the newest is served first, whose client is the least likely to have given up.
 */
export class Admission {
  /** Of the newest configuration. */
  settings: AdmissionSettings
  #inFlight = 0
  /** Oldest first, from `#first` on. */
  #queue: Waiter[] = []
  #first = 0
  #waiting = 0
  /** Since when somebody has been waiting without a break. */
  #standingSinceMs = Infinity
  /** What answers take at present. */
  #usualMs = 0
  #clock: NodeJS.Timeout | undefined = undefined
  readonly #places: Places | undefined

  constructor (settings: AdmissionSettings, places?: Places) {
    this.settings = settings
    this.#places = places
    places?.usedBy(this)
  }

  get inFlight (): number {
    return this.#inFlight
  }

  get queued (): number {
    return this.#waiting
  }

  /** Requests that may be worked on at a time now. */
  get limit (): number {
    const { maxInFlight, limit } = this.settings
    return limit === undefined ? maxInFlight : Math.min(maxInFlight, limit.value)
  }

  /** Of a newer configuration. Who was let in stays in. */
  configure (settings: AdmissionSettings): void {
    this.settings = settings
    this.#advance()
  }

  /** More places may be there, or none are to be had. */
  advance (): void {
    this.#advance()
    const { maxQueued } = this.settings
    if (this.#waiting > maxQueued && this.#places?.want() === false) this.#refuse(this.#waiting - maxQueued)
  }

  /** Undefined: the request has a place, which `release` frees. A promise: it waits for one. A fault, thrown or rejected with: it gets none. */
  enter (ending: EndSignal): Promise<void> | undefined {
    const { maxQueued, refusal } = this.settings
    const why = refusal()
    if (why !== undefined) throw new Fault('OVERLOADED', why)
    if (this.#waiting === 0 && this.#inFlight < this.#most) {
      this.#inFlight++
      if (this.#places !== undefined) this.#places.taken(this.#inFlight)
      return undefined
    }
    const asking = this.#places?.want() === true
    if (this.#waiting >= (asking ? Math.max(maxQueued, mostAsking) : maxQueued)) throw new Fault('OVERLOADED', `${this.#inFlight} requests are being served, ${this.#waiting} wait`)
    return this.#wait(ending)
  }

  /** @param latencyMs What it took until the answer began; 0 when that says nothing. */
  release (latencyMs: number): void {
    this.#usualMs += (latencyMs - this.#usualMs) * usualWeight
    const { limit } = this.settings
    if (limit !== undefined) limit.sample(latencyMs, this.#inFlight, performance.now())
    this.#inFlight--
    if (this.#waiting > 0) this.#advance()
    else if (this.#places !== undefined) this.#places.left(this.#inFlight)
  }

  get #most (): number {
    return this.#places === undefined ? this.limit : Math.min(this.limit, this.#places.most)
  }

  /** The newest. */
  #refuse (count: number): void {
    for (let i = 0; i < count; i++) {
      const waiter = this.#newest()
      if (waiter === undefined) break
      this.#waiting--
      waiter.refuse(new Fault('OVERLOADED', `${this.#inFlight} requests are being served here, and no place is left`))
    }
    if (this.#waiting === 0) this.#empty()
  }

  #wait (ending: EndSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter = new Waiter(ending, performance.now(), resolve, reject, () => this.#left())
      this.#queue.push(waiter)
      if (this.#waiting++ === 0) this.#standingSinceMs = waiter.sinceMs
      this.#clock ??= setInterval(() => this.#expire(), tickMs)
    })
  }

  #advance (): void {
    const standing = performance.now() - this.#standingSinceMs > standingAfterMs
    while (this.#waiting > 0 && this.#inFlight < this.#most) {
      const waiter = standing ? this.#newest() : this.#oldest()
      if (waiter === undefined) break
      this.#inFlight++
      this.#waiting--
      waiter.enter()
    }
    if (this.#waiting === 0) this.#empty()
  }

  #newest (): Waiter | undefined {
    while (this.#queue.length > this.#first) {
      const waiter = this.#queue.pop()!
      if (waiter.waits) return waiter
    }
    return undefined
  }

  #oldest (): Waiter | undefined {
    while (this.#first < this.#queue.length) {
      const waiter = this.#queue[this.#first++]!
      if (waiter.waits) return waiter
    }
    return undefined
  }

  /** The client of one that waits is gone. */
  #left (): void {
    if (--this.#waiting === 0) this.#empty()
  }

  #empty (): void {
    this.#queue = []
    this.#first = 0
    this.#standingSinceMs = Infinity
    clearInterval(this.#clock)
    this.#clock = undefined
  }

  #expire (): void {
    this.#places?.want()
    const nowMs = performance.now()
    const { queueTimeoutMs } = this.settings
    const standing = nowMs - this.#standingSinceMs > standingAfterMs
    const mostMs = standing ? Math.min(queueTimeoutMs, Math.max(standingWaitMs, this.#usualMs * 2)) : queueTimeoutMs
    while (this.#first < this.#queue.length) {
      const waiter = this.#queue[this.#first]!
      if (waiter.waits && nowMs - waiter.sinceMs <= mostMs) break
      this.#first++
      if (!waiter.waits) continue
      this.#waiting--
      waiter.refuse(new Fault('OVERLOADED', `no place within ${Math.round(nowMs - waiter.sinceMs)} ms, ${this.#inFlight} requests are being served`))
    }
    if (this.#waiting === 0) this.#empty()
    // What was served from the other end leaves room at the beginning.
    else if (this.#first > 1024) {
      this.#queue.splice(0, this.#first)
      this.#first = 0
    }
  }
}

class Waiter implements EndListener {
  waits = true
  readonly sinceMs: number
  readonly #ending: EndSignal
  readonly #resolve: () => void
  readonly #reject: (fault: Fault) => void
  readonly #left: () => void

  constructor (ending: EndSignal, sinceMs: number, resolve: () => void, reject: (fault: Fault) => void, left: () => void) {
    this.sinceMs = sinceMs
    this.#ending = ending
    this.#resolve = resolve
    this.#reject = reject
    this.#left = left
    ending.listen(this)
  }

  enter (): void {
    this.waits = false
    this.#ending.ignore(this)
    this.#resolve()
  }

  refuse (fault: Fault): void {
    this.waits = false
    this.#ending.ignore(this)
    this.#reject(fault)
  }

  onExchangeEnd (reason: Fault): void {
    this.waits = false
    this.#left()
    this.#reject(reason)
  }
}
