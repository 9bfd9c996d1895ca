import type { KeptPlace } from '../pipeline/kept-answers.ts'
import type { DiskStore } from './disk-store.ts'
import type { MemoryStore } from './memory-store.ts'
import type { Meant, Store } from './store.ts'
import type { Kept, Stored, ValueOf } from './stored.ts'

/** Everything on disk, and what is asked for in memory as well. */
export class HybridStore implements Store {
  readonly #memory: MemoryStore
  readonly #disk: DiskStore
  /** Larger ones would put out too many others. */
  readonly #maxInMemory: number

  constructor (memory: MemoryStore, disk: DiskStore, maxInMemory: number) {
    this.#memory = memory
    this.#disk = disk
    this.#maxInMemory = maxInMemory
  }

  get places (): { readonly memory: KeptPlace, readonly disk: KeptPlace } {
    return { memory: this.#memory.places.memory, disk: this.#disk.places.disk }
  }

  get evictions (): number {
    return this.#disk.evictions
  }

  find (base: string, valueOf: ValueOf): Kept | undefined | Promise<Kept | undefined> {
    return this.#memory.find(base, valueOf) ?? this.#fromDisk(base, valueOf)
  }

  put (stored: Stored, body: Buffer): Promise<void> {
    if (body.length <= this.#maxInMemory) this.#memory.put(stored, body)
    return this.#disk.put(stored, body)
  }

  async refresh (kept: Kept, stored: Stored): Promise<void> {
    this.#memory.refresh(kept, stored)
    await this.#disk.refresh(kept, stored)
  }

  async purge (isMeant: Meant, path?: string): Promise<number> {
    const inMemory = this.#memory.purge(isMeant, path)
    const onDisk = await this.#disk.purge(isMeant, path)
    // What was read from disk meanwhile.
    this.#memory.purge(isMeant, path)
    return Math.max(inMemory, onDisk)
  }

  async close (): Promise<void> {
    await this.#memory.close()
    await this.#disk.close()
  }

  async #fromDisk (base: string, valueOf: ValueOf): Promise<Kept | undefined> {
    const kept = await this.#disk.find(base, valueOf)
    if (kept === undefined || kept.stored.length > this.#maxInMemory) return kept
    const chunks: Buffer[] = []
    const body = kept.open(0, kept.stored.length)
    try {
      for (let chunk = await body.read(); chunk !== undefined; chunk = await body.read()) chunks.push(chunk)
    } catch {
      return undefined
    }
    return this.#memory.keep(kept.stored, exactly(Buffer.concat(chunks))) ?? kept
  }
}

/** No piece of a larger one: it may be kept for long. */
function exactly (body: Buffer): Buffer {
  const own = Buffer.allocUnsafeSlow(body.length)
  body.copy(own)
  return own
}
