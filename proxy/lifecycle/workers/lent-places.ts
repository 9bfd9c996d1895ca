import type { Places, PlacesUser } from '../../state/index.ts'
import type { Lender, Lendable } from './lent-shares.ts'

/** After a refusal main is not asked again for so long. */
const refusedMs = 20

/** Places for requests that main lends to this process: the limit of all processes together, as far as it is this one's. */
export class LentPlaces implements Places, Lendable {
  readonly #name: string
  readonly #lender: Lender
  readonly #workers: number
  #limit = Infinity
  #has = 0
  #asking = false
  #refusedUntilMs = 0
  #user: PlacesUser | undefined

  constructor (name: string, lender: Lender, workers: number) {
    this.#name = name
    this.#lender = lender
    this.#workers = workers
  }

  get most (): number {
    return this.#limit === Infinity ? Infinity : this.#has
  }

  usedBy (user: PlacesUser): void {
    this.#user = user
  }

  limitTo (limit: number): void {
    // What was let in without a limit is counted from here on.
    const unlent = Math.max(0, (this.#user?.inFlight ?? 0) - this.#has)
    if (this.#limit === Infinity && limit !== Infinity && unlent > 0) {
      this.#lender.owe(this.#name, unlent)
      this.#has += unlent
    }
    this.#limit = limit
    this.want()
  }

  taken (inFlight: number): void {
    if (this.#limit !== Infinity && this.#has - inFlight < this.#batch / 2) this.#ask(0)
  }

  left (inFlight: number): void {
    const spare = this.#has - inFlight
    if (this.#limit === Infinity || spare <= 2 * this.#batch) return
    this.#has -= spare - this.#batch
    this.#lender.giveBack(this.#name, spare - this.#batch)
  }

  want (): boolean {
    if (this.#limit !== Infinity) this.#ask(1)
    return this.#asking
  }

  lent (count: number): void {
    this.#asking = false
    this.#has += count
    if (count === 0) this.#refusedUntilMs = performance.now() + refusedMs
    this.#user?.advance()
  }

  recall (): number {
    const spare = (this.#user?.queued ?? 0) > 0 ? 0 : Math.max(0, this.#has - (this.#user?.inFlight ?? 0))
    this.#has -= spare
    return spare
  }

  isUnused (): boolean {
    return false
  }

  get #batch (): number {
    return Math.max(1, Math.min(256, Math.floor(this.#limit / (this.#workers * 8))))
  }

  /** @param least Somebody waits for so many. Without anybody who waits, a batch of one is not worth a message. */
  #ask (least: number): void {
    if (this.#asking || performance.now() < this.#refusedUntilMs || least === 0 && this.#batch === 1) return
    this.#asking = true
    this.#lender.want(this.#name, Math.max(this.#batch, Math.min(this.#user?.queued ?? 0, this.#batch * 4)), this.#limit)
  }
}
