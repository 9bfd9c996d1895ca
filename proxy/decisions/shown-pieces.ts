import type { Body } from '../pipeline/body.ts'

/** Bytes that may be with an agent unanswered; it may widen that with `credit`. */
const windowBytes = 256 * 1024
/** Pieces that may be with an agent unanswered: each takes one of its places for calls, however small it is. */
const maxUnanswered = 16
/** Longer chunks are shown in pieces. */
const pieceBytes = 256 * 1024

/** A piece of a body that was shown, and what came of that. */
export interface ShownPiece<T> {
  readonly data: Buffer
  /** Nothing of the body follows. */
  readonly end: boolean
  readonly asked: T
}

export interface Showing<T> {
  /** Bytes that may be unanswered beyond the usual. */
  credit (): number
  /** Resolves when the piece is on its way. */
  show (data: Buffer, end: boolean): Promise<T>
}

const nothing = Buffer.alloc(0)

/** Reads a body ahead of whoever reads what becomes of it, and shows it in pieces, as far as the window goes. */
export class ShownPieces<T> {
  /** Bytes that were shown. */
  shownBytes = 0
  readonly #source: Body
  readonly #showing: Showing<T>
  readonly #shown: Array<ShownPiece<T>> = []
  /** Of a chunk that is longer than a piece. */
  #rest: Buffer | undefined = undefined
  #unanswered = 0
  #pulling: Promise<void> | undefined = undefined
  #endShown = false
  #error: unknown
  #stopped = false

  constructor (source: Body, showing: Showing<T>) {
    this.#source = source
    this.#showing = showing
  }

  /** The first piece that was not taken, as soon as there is one; `undefined` when it was stopped meanwhile. Rejects as the source does. */
  async first (): Promise<ShownPiece<T> | undefined> {
    for (;;) {
      if (this.#stopped) return undefined
      this.#pull()
      const [first] = this.#shown
      if (first !== undefined) return first
      if (this.#pulling === undefined) throw this.#error
      await this.#pulling
    }
  }

  /** The window has become wider. */
  widened (): void {
    // Nothing is read before somebody asks for it.
    if (this.#shown.length > 0) this.#pull()
  }

  /** The first piece was answered. */
  taken (): void {
    this.#unanswered -= this.#shown.shift()?.data.length ?? 0
  }

  /** The last piece may have been known by the length of the body; only reading on brings the trailers. */
  async finish (): Promise<void> {
    if (this.shownBytes === this.#source.length) await this.#source.read()
  }

  /** Nothing more is read or shown. */
  stop (): void {
    this.#stopped = true
    this.#rest = undefined
  }

  #pull (): void {
    if (this.#pulling !== undefined || this.#endShown || this.#stopped || this.#error !== undefined) return
    if (this.#unanswered >= windowBytes + this.#showing.credit() || this.#shown.length >= maxUnanswered) return
    this.#pulling = this.#pullOne().catch((error: unknown) => { this.#error = error }).finally(() => {
      this.#pulling = undefined
      this.#pull()
    })
  }

  async #pullOne (): Promise<void> {
    const chunk = this.#rest ?? await this.#source.read()
    // Whoever stopped it is not told of an end that came of that.
    if (this.#stopped) return
    const data = chunk?.subarray(0, pieceBytes) ?? nothing
    this.#rest = chunk !== undefined && chunk.length > pieceBytes ? chunk.subarray(pieceBytes) : undefined
    this.shownBytes += data.length
    this.#unanswered += data.length
    const end = this.#endShown = chunk === undefined || this.shownBytes === this.#source.length
    this.#shown.push({ data, end, asked: await this.#showing.show(data, end) })
  }
}
