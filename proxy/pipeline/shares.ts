import type { MaybePromise } from './body.ts'

/** Places under a limit that several processes may have together. */
export interface Share {
  /** Takes one. A promise where others have to be asked first. */
  take (limit: number): MaybePromise<boolean>
  give (): void
}

export interface Shares {
  /** By a name that is the same in all processes. */
  named (name: string): Share
  /** One of many that come and go, of a client for example: never kept by who takes a place, but for giving it back. */
  passing (name: string): Share
}

/** One process has all places to itself. */
export class OwnShares implements Shares {
  readonly #passing = new Map<string, OwnShare>()

  named (): Share {
    return new OwnShare(() => {})
  }

  passing (name: string): Share {
    let share = this.#passing.get(name)
    if (share === undefined) this.#passing.set(name, share = new OwnShare(() => this.#passing.delete(name)))
    return share
  }
}

class OwnShare implements Share {
  readonly #empty: () => void
  #taken = 0

  constructor (empty: () => void) {
    this.#empty = empty
  }

  take (limit: number): boolean {
    return this.#taken < limit && ++this.#taken > 0
  }

  give (): void {
    if (--this.#taken === 0) this.#empty()
  }
}
