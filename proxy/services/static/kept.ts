import type { Found } from './find.ts'

interface Entry {
  readonly found: Found
  /** `performance.now` until which nobody looks whether it is still so. */
  freshUntilMs: number
  bytes: number
}

/** What lies at a path is believed for so long. */
const freshMs = 1_000
/** An empty file costs something, too. */
const entryBytes = 1_024

/** What was found at paths lately; what nobody asked for longest goes first. */
export class Kept {
  readonly #entries = new Map<string, Entry>()
  readonly #mostBytes: number
  #bytes = 0

  constructor (mostBytes: number) {
    this.#mostBytes = mostBytes
  }

  /** What may be answered with at once. */
  fresh (path: string, nowMs: number): Found | undefined {
    const entry = this.#entries.get(path)
    return entry !== undefined && nowMs < entry.freshUntilMs ? entry.found : undefined
  }

  /** What was there when somebody looked last. */
  last (path: string): Found | undefined {
    return this.#entries.get(path)?.found
  }

  put (path: string, found: Found, nowMs: number): void {
    this.remove(path)
    const bytes = entryBytes + path.length + found.bytes
    if (!this.#makeRoom(bytes)) return
    this.#bytes += bytes
    this.#entries.set(path, { found, freshUntilMs: nowMs + freshMs, bytes })
  }

  /** It needs more memory than when it was put here. */
  grow (path: string, found: Found, bytes: number): void {
    const entry = this.#entries.get(path)
    if (entry?.found !== found) return
    entry.bytes += bytes
    this.#bytes += bytes
    if (this.#bytes > this.#mostBytes) this.#makeRoom(0)
  }

  remove (path: string): void {
    const entry = this.#entries.get(path)
    if (entry === undefined) return
    this.#entries.delete(path)
    this.#bytes -= entry.bytes
  }

  #makeRoom (bytes: number): boolean {
    for (const path of this.#entries.keys()) {
      if (this.#bytes + bytes <= this.#mostBytes) break
      this.remove(path)
    }
    return this.#bytes + bytes <= this.#mostBytes
  }
}
