import type { Body, MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'

/** Memory for answers that are arriving, of all of them together. */
export class ArrivalRoom {
  readonly maxBytes: number
  used = 0

  constructor (maxBytes: number) {
    this.maxBytes = maxBytes
  }

  take (bytes: number): boolean {
    if (this.used + bytes > this.maxBytes) return false
    this.used += bytes
    return true
  }
}

export interface ArrivalSettings {
  readonly body: Body | undefined
  /** A larger one is passed on and not kept. */
  readonly maxBytes: number
  readonly room: ArrivalRoom
  /** How long it is fetched though nobody reads it, and how long readers of one that is not kept wait for one that stands still. */
  readonly patienceMs: number
  /** All of it has arrived. Not called when it is not to be kept, or broke off. */
  readonly complete: (whole: Buffer) => void
  /** Nothing more comes of it. */
  readonly over: () => void
}

const firstBytes = 16 * 1024

/**
 * A body that is read by several, while it is gathered to be kept. As long as it is, it is fetched as fast as it comes: a client that does not read, or
 * leaves, holds up nobody. One that turns out to be too large is passed on at the pace of the slowest.
 */
export class Arrival {
  readonly #settings: ArrivalSettings
  readonly #readers = new Set<ArrivalReader>()
  /** What has arrived; bytes once written never change, so that readers and the store may hold on to them. */
  #buffer: Buffer
  #filled = 0
  /** Bytes that were passed on and are no longer held. */
  #passed = 0
  #taken = 0
  #keeps = true
  /** Somebody has begun to read it. Until then nothing of it may be let go of. */
  #isRead = false
  #end: 'open' | 'complete' | Fault = 'open'
  #progress: (() => void) | undefined = undefined
  #alone: NodeJS.Timeout | undefined = undefined

  constructor (settings: ArrivalSettings) {
    this.#settings = settings
    const { body, maxBytes } = settings
    const expected = body === undefined ? 0 : body.length ?? Math.min(firstBytes, maxBytes)
    const first = expected <= maxBytes && this.#take(expected) ? expected : 0
    this.#keeps = first >= expected
    this.#buffer = Buffer.allocUnsafeSlow(first)
    void this.#run(body)
  }

  /** One more who reads it from its beginning; `undefined` when that is not there any more. */
  reader (): Body | undefined {
    if (this.#passed > 0 || this.#end instanceof Fault) return undefined
    const reader = new ArrivalReader(this, this.#settings.body?.length)
    this.#readers.add(reader)
    this.#isRead = true
    clearTimeout(this.#alone)
    this.#progress?.()
    return reader
  }

  /** What is there behind `cursor`; `undefined` at the end, `wait` when more is to come. Throws the fault that ended it. */
  from (cursor: number): Buffer | 'wait' | undefined {
    const start = cursor - this.#passed
    if (start < this.#filled) return this.#buffer.subarray(start, this.#filled)
    if (this.#end === 'open') return 'wait'
    if (this.#end === 'complete') return undefined
    throw this.#end
  }

  /** A reader has read, or left. */
  moved (reader: ArrivalReader, left: boolean): void {
    if (left) this.#readers.delete(reader)
    this.#progress?.()
    if (left && this.#readers.size === 0) this.#lonely()
  }

  /** Nobody reads it yet. */
  lonely (): void {
    if (this.#readers.size === 0) this.#lonely()
  }

  /** It is not worth keeping any more. */
  outdated (): void {
    this.#keeps = false
    this.#progress?.()
  }

  #lonely (): void {
    if (this.#end !== 'open') return
    if (!this.#keeps && this.#isRead) return this.#giveUp()
    this.#alone = setTimeout(() => this.#giveUp(), this.#settings.patienceMs)
    this.#alone.unref()
  }

  #giveUp (): void {
    const fault = new Fault('CLIENT_GONE', 'nobody reads the answer')
    this.#settings.body?.cancel(fault)
    // Whoever waits for the next piece of it may wait for ever.
    this.#finish(fault)
  }

  #finish (end: 'complete' | Fault): void {
    if (this.#end !== 'open') return
    this.#end = end
    clearTimeout(this.#alone)
    this.#settings.room.used -= this.#taken
    this.#taken = 0
    this.#settings.over()
    this.#progress?.()
    this.#wake()
  }

  async #run (body: Body | undefined): Promise<void> {
    try {
      for (;;) {
        if (!this.#keeps && this.#passed + this.#filled > 0) await this.#allHaveRead()
        const next = body?.read()
        const chunk = next instanceof Promise ? await next : next
        if (this.#end !== 'open') return
        if (chunk === undefined) break
        this.#add(chunk)
        body?.recycle?.(chunk)
        this.#wake()
      }
      // Fields behind the body are not kept: what has some is passed on without, as to all clients that did not ask for them.
      if (this.#keeps && body?.trailers === undefined) this.#settings.complete(this.#whole())
      this.#finish('complete')
    } catch (error) {
      this.#finish(Fault.from(error))
    }
  }

  #add (chunk: Buffer): void {
    if (this.#keeps && !this.#fits(this.#filled + chunk.length)) this.#keeps = false
    if (!this.#keeps) {
      // Readers have not read all of it where it was kept until now.
      const rest = this.#filled === 0 ? [] : [this.#buffer.subarray(0, this.#filled)]
      if (this.#everybodyIsAt(this.#passed + this.#filled)) {
        this.#passed += this.#filled
        rest.length = 0
      }
      this.#buffer = Buffer.concat([...rest, chunk])
      this.#filled = this.#buffer.length
      return
    }
    chunk.copy(this.#buffer, this.#filled)
    this.#filled += chunk.length
  }

  #fits (bytes: number): boolean {
    if (bytes <= this.#buffer.length) return true
    const { maxBytes } = this.#settings
    const capacity = Math.min(maxBytes, Math.max(bytes, this.#buffer.length * 2, firstBytes))
    if (bytes > capacity || !this.#take(capacity - this.#buffer.length)) return false
    const larger = Buffer.allocUnsafeSlow(capacity)
    this.#buffer.copy(larger, 0, 0, this.#filled)
    this.#buffer = larger
    return true
  }

  #take (bytes: number): boolean {
    if (!this.#settings.room.take(bytes)) return false
    this.#taken += bytes
    return true
  }

  /** No larger than it has to be: it may be kept for long. */
  #whole (): Buffer {
    if (this.#buffer.length === this.#filled) return this.#buffer
    const whole = Buffer.allocUnsafeSlow(this.#filled)
    this.#buffer.copy(whole, 0, 0, this.#filled)
    return whole
  }

  #everybodyIsAt (position: number): boolean {
    if (!this.#isRead) return false
    for (const reader of this.#readers) if (reader.cursor < position) return false
    return true
  }

  /** Waits for the slowest; one that does not move at all is cut off when it holds up others. */
  async #allHaveRead (): Promise<void> {
    const position = this.#passed + this.#filled
    while (this.#end === 'open' && !this.#everybodyIsAt(position)) {
      const moved = await this.#moved()
      if (moved || this.#readers.size < 2) continue
      for (const reader of this.#readers) if (reader.cursor < position) reader.fail(new Fault('CLIENT_TIMEOUT', 'it held up others who read the same answer'))
    }
  }

  #moved (): Promise<boolean> {
    return new Promise((resolve) => {
      const done = (moved: boolean): void => {
        clearTimeout(timer)
        this.#progress = undefined
        resolve(moved)
      }
      const timer = setTimeout(() => done(false), this.#settings.patienceMs)
      this.#progress = () => done(true)
    })
  }

  #wake (): void {
    for (const reader of this.#readers) reader.wake()
  }
}

interface Waiting {
  readonly resolve: (chunk: Buffer | undefined) => void
  readonly reject: (error: Error) => void
}

class ArrivalReader implements Body {
  readonly length: number | undefined
  readonly trailers = undefined
  cursor = 0
  readonly #arrival: Arrival
  #waiting: Waiting | undefined = undefined
  #failed: Fault | undefined = undefined

  constructor (arrival: Arrival, length: number | undefined) {
    this.#arrival = arrival
    this.length = length
  }

  read (): MaybePromise<Buffer | undefined> {
    if (this.#failed !== undefined) throw this.#failed
    const chunk = this.#arrival.from(this.cursor)
    if (chunk === 'wait') return new Promise((resolve, reject) => { this.#waiting = { resolve, reject } })
    return this.#gone(chunk)
  }

  cancel (): void {
    this.#arrival.moved(this, true)
    this.#settle((waiting) => waiting.resolve(undefined))
  }

  fail (fault: Fault): void {
    this.#failed = fault
    this.#arrival.moved(this, true)
    this.#settle((waiting) => waiting.reject(fault))
  }

  wake (): void {
    if (this.#waiting === undefined) return
    try {
      const chunk = this.#arrival.from(this.cursor)
      if (chunk !== 'wait') this.#settle((waiting) => waiting.resolve(this.#gone(chunk)))
    } catch (error) {
      this.#settle((waiting) => waiting.reject(Fault.from(error)))
    }
  }

  #settle (how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) how(waiting)
  }

  #gone (chunk: Buffer | undefined): Buffer | undefined {
    if (chunk === undefined) this.#arrival.moved(this, true)
    else {
      this.cursor += chunk.length
      this.#arrival.moved(this, false)
    }
    return chunk
  }
}
