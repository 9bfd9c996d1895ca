import type { Body, MaybePromise } from '../../pipeline/body.ts'
import { Fault } from '../../pipeline/faults.ts'

/** Memory that is taken for the bodies of all exchanges together. */
export interface ReplayRoom {
  used: number
}

/** What is kept of request bodies, so that they can be sent again. */
export interface ReplaySettings {
  /** Of one body. */
  readonly maxBytes: number
  /** Of all of them. */
  readonly maxBytesOfAll: number
  readonly room: ReplayRoom
}

/** What is kept is copied into pages of this size: the pieces themselves may hold many times their length. */
const pageBytes = 16 * 1024

/** A request body whose beginning is kept beside its way to a target, so that another target can be sent all of it. It flows as if nobody kept it. */
export class Replay {
  readonly #source: Body
  readonly #settings: ReplaySettings
  #pages: Buffer[] = []
  /** Bytes in the last page, and in all of them. */
  #lastUsed = 0
  #kept = 0
  #taken = 0
  #whole = true
  #settled = false
  #touched = false
  /** The source has given all it has. */
  #all = false
  #pulling: Promise<void> | undefined = undefined
  #current: View

  constructor (source: Body, settings: ReplaySettings) {
    this.#source = source
    this.#settings = settings
    this.#current = new View(this)
  }

  /** All that was read of it is there to be read again. */
  get whole (): boolean {
    return this.#whole
  }

  get length (): number | undefined {
    return this.#source.length
  }

  get trailers (): Body['trailers'] {
    return this.#source.trailers
  }

  get expectsContinue (): boolean | undefined {
    return this.#source.expectsContinue
  }

  /** It as the first target gets it. */
  get current (): Body {
    return this.#current
  }

  /** Something of it was asked for. */
  get touched (): boolean {
    return this.#touched
  }

  /** The one who reads it has all of it. */
  get sent (): boolean {
    return this.#current.ended
  }

  /** The same from its beginning, for another target. Who read it before gets nothing any more. */
  again (): Body {
    return this.#current = new View(this)
  }

  /** There will be no other try: what was kept and is not on its way any more goes. */
  settle (): void {
    this.#settled = true
    this.#whole = false
    if (this.#current.cancelled !== undefined) this.cancel(this.#current, this.#current.cancelled.reason)
    else this.#forgetRead(this.#current)
  }

  // What a view asks for.

  read (view: View): MaybePromise<Buffer | undefined> {
    if (view !== this.#current) return Promise.reject(superseded)
    if (view.at < this.#kept) return this.#pageAt(view)
    this.#forgetRead(view)
    if (this.#pulling !== undefined) return this.#pulling.then(() => this.read(view))
    if (this.#all) return this.#passed(undefined, view)
    this.#touched = true
    const next = this.#source.read()
    return next instanceof Promise ? this.#await(next, view) : this.#passed(next, view)
  }

  cancel (view: View, reason: Fault | undefined): void {
    if (view !== this.#current) return
    view.cancelled = { reason }
    if (!this.#settled) return
    this.#free()
    this.#source.cancel(reason)
  }

  /** Whoever reads next waits for what is on its way already. */
  #await (next: Promise<Buffer | undefined>, view: View): Promise<Buffer | undefined> {
    let arrived: Buffer | undefined
    const pulled = next.then((chunk) => {
      this.#pulling = undefined
      arrived = this.#passed(chunk, view)
    }, (error: unknown) => {
      this.#pulling = undefined
      throw error
    })
    this.#pulling = pulled
    return pulled.then(() => view === this.#current ? arrived : Promise.reject(superseded))
  }

  /** Keeps a piece that was read for `view`, and hands it on. */
  #passed (chunk: Buffer | undefined, view: View): Buffer | undefined {
    if (chunk === undefined) {
      this.#all = view.ended = true
      return undefined
    }
    const behind = view !== this.#current
    if (this.#whole || behind) this.#keep(chunk, behind)
    view.at += chunk.length
    return chunk
  }

  /** `needed`: somebody has not had it, so that it is kept whatever the limits are; nothing is kept after it. */
  #keep (chunk: Buffer, needed: boolean): void {
    const { maxBytes, maxBytesOfAll, room } = this.#settings
    if (this.#kept + chunk.length > maxBytes || room.used + this.#missing(chunk) > maxBytesOfAll) {
      this.#whole = false
      if (!needed) return this.#free()
    }
    let at = 0
    while (at < chunk.length) {
      const last = this.#pages.at(-1)
      if (last === undefined || this.#lastUsed === last.length) {
        this.#addPage(chunk.length - at)
        continue
      }
      const copied = chunk.copy(last, this.#lastUsed, at)
      this.#lastUsed += copied
      at += copied
    }
    this.#kept += chunk.length
  }

  /** Memory that it takes to keep this as well. */
  #missing (chunk: Buffer): number {
    const free = (this.#pages.at(-1)?.length ?? 0) - this.#lastUsed
    return chunk.length <= free ? 0 : this.#sizeOfPage(chunk.length - free)
  }

  #sizeOfPage (wanted: number): number {
    // A body that says that it is small needs no more.
    const outstanding = this.length === undefined ? pageBytes : this.length - this.#kept
    return Math.max(wanted, Math.min(pageBytes, outstanding))
  }

  #addPage (wanted: number): void {
    const page = Buffer.allocUnsafe(this.#sizeOfPage(wanted))
    this.#pages.push(page)
    this.#lastUsed = 0
    this.#taken += page.length
    this.#settings.room.used += page.length
  }

  /** The next of what is kept, as far as one page goes. */
  #pageAt (view: View): Buffer {
    let start = 0
    for (const [i, page] of this.#pages.entries()) {
      const used = i === this.#pages.length - 1 ? this.#lastUsed : page.length
      if (view.at < start + used) {
        const piece = page.subarray(view.at - start, used)
        view.at += piece.length
        return piece
      }
      start += used
    }
    throw new Fault('INTERNAL', 'a request body was not kept')
  }

  /** What nobody will ask for again goes when the one who reads is past it. */
  #forgetRead (view: View): void {
    if (!this.#whole && view.at >= this.#kept) this.#free()
  }

  #free (): void {
    this.#settings.room.used -= this.#taken
    this.#taken = this.#kept = this.#lastUsed = 0
    this.#pages = []
  }
}

/** A body that is read for one try. */
class View implements Body {
  at = 0
  ended = false
  cancelled: { readonly reason: Fault | undefined } | undefined = undefined
  readonly #all: Replay

  constructor (all: Replay) {
    this.#all = all
  }

  get length (): number | undefined {
    return this.#all.length
  }

  get trailers (): Body['trailers'] {
    return this.#all.trailers
  }

  get expectsContinue (): boolean | undefined {
    return this.#all.touched ? undefined : this.#all.expectsContinue
  }

  read (): MaybePromise<Buffer | undefined> {
    return this.#all.read(this)
  }

  cancel (reason?: Fault): void {
    this.#all.cancel(this, reason)
  }
}

/** One object for all: whoever gets it has been told to stop. */
const superseded = new Fault('CLIENT_GONE', 'the request is being sent to another target')
