import { LRUCache } from 'lru-cache'
import { bodyOf } from '../pipeline/body.ts'
import type { KeptPlace } from '../pipeline/kept-answers.ts'
import type { Meant, Store } from './store.ts'
import { isSelected, overheadOf, variantOf, type Kept, type Stored, type ValueOf } from './stored.ts'

/** Answers for one request that fields of it tell apart. Whoever invents values of such a field puts out those that others invented. */
const mostVariants = 64

const nowhere: KeptPlace = { hits: 0, entries: 0, bytes: 0 }

class KeptInMemory implements Kept {
  readonly stored: Stored
  readonly from = 'memory'
  readonly body: Buffer

  constructor (stored: Stored, body: Buffer) {
    this.stored = stored
    this.body = body
  }

  open (start: number, end: number) {
    return bodyOf(end - start === this.body.length ? this.body : this.body.subarray(start, end))
  }
}

/** Answers in memory; those not asked for the longest go first. */
export class MemoryStore implements Store {
  readonly #answers: LRUCache<string, KeptInMemory>
  /** Keys of `#answers` that share a base. */
  readonly #variants = new Map<string, string[]>()
  /** Keys of `#answers` by the path that clients ask for: what is changed often must not cost a look at all. */
  readonly #paths = new Map<string, Set<string>>()
  #hits = 0
  evictions = 0

  constructor (maxBytes: number) {
    this.#answers = new LRUCache<string, KeptInMemory>({
      maxSize: maxBytes,
      maxEntrySize: maxBytes,
      sizeCalculation: ({ stored, body }) => body.length + overheadOf(stored),
      dispose: ({ stored }, key, reason) => {
        if (reason === 'set') return
        if (reason === 'evict') this.evictions++
        this.#forget(stored, key)
      },
    })
  }

  get places (): Store['places'] {
    return { memory: { hits: this.#hits, entries: this.#answers.size, bytes: this.#answers.calculatedSize }, disk: nowhere }
  }

  find (base: string, valueOf: ValueOf): Kept | undefined {
    const variants = this.#variants.get(base)
    if (variants === undefined) return undefined
    for (let i = variants.length - 1; i >= 0; i--) {
      const key = variants[i]!
      const kept = this.#answers.peek(key)
      if (kept === undefined || !isSelected(kept.stored, valueOf)) continue
      this.#answers.get(key)
      this.#hits++
      return kept
    }
    return undefined
  }

  put (stored: Stored, body: Buffer): void {
    this.keep(stored, body)
  }

  /** What it is from now on; `undefined` when it is too large. */
  keep (stored: Stored, body: Buffer): Kept | undefined {
    const { base } = stored
    const key = `${base}\n${variantOf(stored.selection)}`
    const others = this.#variants.get(base)?.filter((other) => other !== key) ?? []
    while (others.length >= mostVariants) this.#answers.delete(others.shift()!)
    const kept = new KeptInMemory(stored, body)
    this.#answers.set(key, kept)
    // Too large for the whole store: it is not there now.
    if (!this.#answers.has(key)) {
      this.#forget(stored, key)
      return undefined
    }
    this.#variants.set(base, [...others, key])
    const keys = this.#paths.get(stored.address.path)
    if (keys === undefined) this.#paths.set(stored.address.path, new Set([key]))
    else keys.add(key)
    return kept
  }

  refresh (kept: Kept, stored: Stored): void {
    if (kept instanceof KeptInMemory) this.put(stored, kept.body)
  }

  purge (isMeant: Meant, path?: string): number {
    let count = 0
    for (const key of path === undefined ? [...this.#answers.keys()] : [...this.#paths.get(path) ?? []]) {
      const stored = this.#answers.peek(key)?.stored
      if (stored === undefined || !isMeant(stored.address, stored.tags)) continue
      this.#answers.delete(key)
      count++
    }
    return count
  }

  close (): Promise<void> {
    this.#answers.clear()
    return Promise.resolve()
  }

  #forget ({ base, address: { path } }: Stored, key: string): void {
    const keys = this.#paths.get(path)
    keys?.delete(key)
    if (keys?.size === 0) this.#paths.delete(path)
    const left = this.#variants.get(base)?.filter((other) => other !== key) ?? []
    if (left.length === 0) this.#variants.delete(base)
    else this.#variants.set(base, left)
  }
}
