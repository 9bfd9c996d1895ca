import { lstatSync, unlinkSync } from 'node:fs'

/** The file of a Unix socket, for as long as it is the one that was there at first: another process may put its own in the same place. */
export class OwnFile {
  readonly #path: string
  readonly #inode: number | undefined

  constructor (path: string) {
    this.#path = path
    this.#inode = lstatSync(path, { throwIfNoEntry: false })?.ino
  }

  remove (): void {
    try {
      if (lstatSync(this.#path).ino === this.#inode) unlinkSync(this.#path)
    } catch {
      // It is gone, or not ours to remove: nothing is to be done about it.
    }
  }
}
