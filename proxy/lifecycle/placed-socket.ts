import { existsSync, linkSync, renameSync, rmSync } from 'node:fs'

/**
 * The socket that an operator placed for an agent of ours, when one process of it follows another: the file of the old process steps aside
 * for that of the new one. Connections do not mind: they belong to what is behind the file.
 */
export class PlacedSocket {
  readonly path: string
  readonly #aside: string
  #isAside = false

  constructor (path: string, name: string) {
    this.path = path
    this.#aside = `${path}.${name}`
  }

  /** Makes room. False when that cannot be. */
  stepAside (): boolean {
    try {
      renameSync(this.path, this.#aside)
      return this.#isAside = true
    } catch {
      return false
    }
  }

  /** The one that room was made for is gone. */
  stepBack (): void {
    if (!this.#isAside) return
    this.#isAside = false
    try {
      renameSync(this.#aside, this.path)
    } catch {
      // Its process has ended meanwhile: the one that is started next makes another.
    }
  }

  /** Programs remove the file when they end, by its name, whosever it is by then: the successor's is kept under another one, and put back. */
  async outlive (end: () => Promise<void>): Promise<void> {
    if (!this.#isAside) return end()
    this.#isAside = false
    const kept = `${this.#aside}.kept`
    try {
      linkSync(this.path, kept)
    } catch {
      // There is no successor.
    }
    await end()
    rmSync(this.#aside, { force: true })
    if (!existsSync(kept)) return
    if (existsSync(this.path)) rmSync(kept, { force: true })
    else renameSync(kept, this.path)
  }
}
