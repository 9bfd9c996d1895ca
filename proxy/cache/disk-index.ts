import type { Meant } from './store.ts'
import type { Address } from './stored.ts'

export interface Indexed {
  readonly bytes: number
  readonly address: Address
  readonly tags: readonly string[]
  /** An answer, and no list of the fields that select one. */
  readonly isAnswer: boolean
}

/** What is known of the files of a folder, the one not used the longest first. */
export class DiskIndex {
  readonly #files = new Map<string, Indexed>()
  bytes = 0
  answers = 0

  has (path: string): boolean {
    return this.#files.has(path)
  }

  add (path: string, file: Indexed): void {
    this.remove(path)
    this.#files.set(path, file)
    this.bytes += file.bytes
    if (file.isAnswer) this.answers++
  }

  used (path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    this.#files.set(path, file)
  }

  remove (path: string): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    this.#files.delete(path)
    this.bytes -= file.bytes
    if (file.isAnswer) this.answers--
  }

  oldest (): string | undefined {
    return this.#files.keys().next().value
  }

  meant (isMeant: Meant): Array<readonly [path: string, isAnswer: boolean]> {
    return [...this.#files].filter(([, { address, tags }]) => isMeant(address, tags)).map(([path, { isAnswer }]) => [path, isAnswer] as const)
  }

  /** Files of a folder that are known and not there any more are forgotten. */
  keepOnly (folder: string, there: ReadonlySet<string>): void {
    for (const path of this.#files.keys()) if (path.startsWith(`${folder}/`) && !there.has(path)) this.remove(path)
  }
}
