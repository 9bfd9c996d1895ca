import type { Share, Shares } from '../../pipeline/shares.ts'

/** How lenders are asked. `lent` answers each `want`, in the order they were asked. */
export interface Lender {
  want (share: string, count: number, limit: number): void
  giveBack (share: string, count: number): void
  /** So many are taken that nobody lent: there was no limit. */
  owe (share: string, count: number): void
}

/** What main lends some of. */
export interface Lendable {
  /** The answer to a `want`; 0 when there is nothing. */
  lent (count: number): void
  /** What is not used, and is no longer here. */
  recall (): number
  isUnused (): boolean
}

/** After a refusal nobody is asked again for so long: at the limit, each request would ask main in vain. */
const refusedMs = 20
/** As many may wait for an answer of main; more are refused at once. */
const mostWaiting = 1024
/** How long what nobody uses is kept. */
const unusedMs = 1_000

/** Places that main lends, a few at a time. */
export class LentShares implements Shares {
  readonly #lender: Lender
  readonly #workers: number
  readonly #open = new Map<string, LentShare>()
  readonly #others = new Map<string, Lendable>()
  readonly #kept = new Set<string>()

  constructor (lender: Lender, workers: number) {
    this.#lender = lender
    this.#workers = workers
    setInterval(() => { for (const [name, share] of this.#open) if (!this.#kept.has(name) && share.isUnused()) this.#open.delete(name) }, unusedMs).unref()
  }

  named (name: string): Share {
    this.#kept.add(name)
    return this.passing(name)
  }

  passing (name: string): Share {
    const known = this.#open.get(name)
    if (known !== undefined) return known
    const share = new LentShare(name, this.#lender, this.#workers)
    this.#open.set(name, share)
    return share
  }

  /** One that is asked for in another way. */
  add (name: string, lendable: Lendable): void {
    this.#others.set(name, lendable)
  }

  lent (name: string, count: number): void {
    const share = this.#others.get(name) ?? this.#open.get(name)
    if (share === undefined) this.#lender.giveBack(name, count)
    else share.lent(count)
  }

  /** What is not used, and is now given back. */
  recall (name: string): number {
    return (this.#others.get(name) ?? this.#open.get(name))?.recall() ?? 0
  }
}

class LentShare implements Share, Lendable {
  readonly #name: string
  readonly #lender: Lender
  readonly #workers: number
  #taken = 0
  /** Lent by main, used or not. */
  #has = 0
  /** Taken while there was no limit. */
  #unlent = 0
  #limit = Infinity
  #asking = false
  #refusedUntilMs = 0
  #wasUnused = false
  readonly #waiting: Array<(got: boolean) => void> = []

  constructor (name: string, lender: Lender, workers: number) {
    this.#name = name
    this.#lender = lender
    this.#workers = workers
  }

  take (limit: number): boolean | Promise<boolean> {
    if (limit !== this.#limit) this.#limitTo(limit)
    if (this.#taken < this.#has && this.#waiting.length === 0) {
      this.#taken++
      // The next ones should not have to wait.
      if (this.#batch > 1 && this.#has - this.#taken < this.#batch / 2) this.#ask()
      return true
    }
    if (limit === Infinity) {
      this.#unlent++
      return true
    }
    if (this.#waiting.length >= mostWaiting || performance.now() < this.#refusedUntilMs) return false
    return new Promise((resolve) => {
      this.#waiting.push(resolve)
      this.#ask()
    })
  }

  give (): void {
    if (this.#unlent > 0) return void this.#unlent--
    this.#taken--
    const spare = this.#has - this.#taken
    const most = this.#batch === 1 ? 0 : 2 * this.#batch
    if (spare > most && this.#waiting.length === 0) this.#giveBack(most === 0 ? spare : spare - this.#batch)
  }

  lent (count: number): void {
    this.#asking = false
    this.#has += count
    if (count === 0) this.#refusedUntilMs = performance.now() + refusedMs
    while (this.#waiting.length > 0 && this.#taken < this.#has) {
      this.#taken++
      this.#waiting.shift()!(true)
    }
    if (count === 0) for (const refuse of this.#waiting.splice(0)) refuse(false)
    else if (this.#waiting.length > 0) this.#ask()
  }

  recall (): number {
    const spare = this.#waiting.length > 0 ? 0 : this.#has - this.#taken
    this.#has -= spare
    return spare
  }

  /** Asked once in a while. Whoever was unused the last time as well gives back what it has, and is forgotten. */
  isUnused (): boolean {
    const before = this.#wasUnused
    this.#wasUnused = this.#taken === 0 && this.#unlent === 0 && !this.#asking && this.#waiting.length === 0
    if (!before || !this.#wasUnused) return false
    this.#giveBack(this.#has)
    return true
  }

  #limitTo (limit: number): void {
    this.#limit = limit
    if (limit === Infinity || this.#unlent === 0) return
    this.#lender.owe(this.#name, this.#unlent)
    this.#has += this.#unlent
    this.#taken += this.#unlent
    this.#unlent = 0
  }

  /** So few that the limit can be used up by any mixture of workers, so many that main is hardly asked. */
  get #batch (): number {
    return this.#limit === Infinity ? 1 : Math.max(1, Math.min(256, Math.floor(this.#limit / (this.#workers * 8))))
  }

  #ask (): void {
    if (this.#asking || this.#waiting.length === 0 && performance.now() < this.#refusedUntilMs) return
    this.#asking = true
    this.#lender.want(this.#name, Math.max(this.#batch, Math.min(this.#waiting.length, this.#batch * 4)), this.#limit)
  }

  #giveBack (count: number): void {
    if (count === 0) return
    this.#has -= count
    this.#lender.giveBack(this.#name, count)
  }
}
