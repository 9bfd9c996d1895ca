import { existsSync, linkSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { exists } from './socket-folder.ts'

/**
 * The socket that an operator placed for an agent of ours, when one process of it follows another: the file of the old process steps aside
 * for that of the new one. Connections do not mind: they belong to what is behind the file.
 */
export class PlacedSocket {
  readonly path: string
  readonly #aside: string
  #isAside = false

  /** @param number Of this process's own; never the same twice. */
  constructor (path: string, number: number) {
    this.path = path
    this.#aside = `${path}.${process.pid}-${number}`
  }

  /** Removes what stepped aside and was left there, because its proxy was killed: those are named after processes that are no more. */
  sweep (): void {
    try {
      const folder = dirname(this.path)
      const prefix = `${basename(this.path)}.`
      for (const name of readdirSync(folder)) {
        const [, pid] = name.startsWith(prefix) ? /^(\d+)-\d+(?:\.kept)?$/.exec(name.slice(prefix.length)) ?? [] : []
        if (pid !== undefined && !exists(Number(pid))) rmSync(join(folder, name), { force: true })
      }
    } catch {
      // A folder that cannot be read, or is not ours to change: nobody is in the way there.
    }
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
