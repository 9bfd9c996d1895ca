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
  /** By the path that clients ask for: what is changed often must not cost a look at all. */
  readonly #asked = new Map<string, Set<string>>()
  bytes = 0
  answers = 0

  has (path: string): boolean {
    return this.#files.has(path)
  }

  add (path: string, file: Indexed): void {
    this.remove(path)
    this.#files.set(path, file)
    const { path: asked } = file.address
    const same = this.#asked.get(asked)
    if (same === undefined) this.#asked.set(asked, new Set([path]))
    else same.add(path)
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
    const same = this.#asked.get(file.address.path)
    same?.delete(path)
    if (same?.size === 0) this.#asked.delete(file.address.path)
    this.bytes -= file.bytes
    if (file.isAnswer) this.answers--
  }

  oldest (): string | undefined {
    return this.#files.keys().next().value
  }

  /** @param asked The one path that clients ask for all of them by, where it is known. */
  meant (isMeant: Meant, asked?: string): Array<readonly [path: string, isAnswer: boolean]> {
    const among = asked === undefined ? [...this.#files.keys()] : [...this.#asked.get(asked) ?? []]
    return among.flatMap((path) => {
      const { address, tags, isAnswer } = this.#files.get(path)!
      return isMeant(address, tags) ? [[path, isAnswer] as const] : []
    })
  }

  /** The files of a folder as they are known now: for `forgetAllBut`. */
  in (folder: string): ReadonlyMap<string, Indexed> {
    return new Map([...this.#files].filter(([path]) => path.startsWith(`${folder}/`)))
  }

  /** Of the files `known` before somebody looked, those not `there` any more are forgotten; not what was put in place meanwhile. */
  forgetAllBut (there: ReadonlySet<string>, known: ReadonlyMap<string, Indexed>): void {
    for (const [path, file] of known) if (!there.has(path) && this.#files.get(path) === file) this.remove(path)
  }
}
