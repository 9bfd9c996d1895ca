/** A share in something that is open. Releasing twice is the same as once. */
export interface Lease<T> {
  readonly value: T
  release (): void
}

/** As `Leases.use`, for as long as a configuration needs it: what is counted outlives a reload. `close`: when no configuration has it any more. */
export type Lend = <T>(key: string, make: () => T, close?: (value: T) => Promise<void> | void) => T

interface Shared {
  readonly value: unknown
  readonly close: () => Promise<void>
  holders: number
}

/**
 * What outlives a configuration: pools, agent connections, log files. A snapshot leases them by the canonical form of the
 * settings they were made from; the next snapshot that wants the same gets the same, and the last to let go closes it.
 */
export class Leases {
  readonly #open = new Map<string, Shared>()
  readonly #closing = new Set<Promise<void>>()

  /** @param open Makes it; called only when nobody holds `key`. @param close Must not reject. */
  use<T> (key: string, open: () => T, close: (value: T) => Promise<void>): Lease<T> {
    const value = (this.#open.get(key)?.value ?? this.#add(key, open(), close)) as T // Same key, same maker, same type.
    const shared = this.#open.get(key)!
    shared.holders++
    let held = true
    return {
      value,
      release: () => {
        if (!held) return
        held = false
        if (--shared.holders === 0) this.#close(key, shared)
      },
    }
  }

  /** Whether somebody holds `key`. */
  has (key: string): boolean {
    return this.#open.has(key)
  }

  /** Resolves when all that was let go is closed. */
  async settled (): Promise<void> {
    while (this.#closing.size > 0) await Promise.all(this.#closing)
  }

  #add<T> (key: string, value: T, close: (value: T) => Promise<void>): T {
    this.#open.set(key, { value, close: () => close(value), holders: 0 })
    return value
  }

  #close (key: string, shared: Shared): void {
    this.#open.delete(key)
    const closing = shared.close().finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}

/**
 * Text that is equal for equal settings: keys sorted, `undefined` left out, and also `at`, the place in the file, because a
 * setting that only moved to another line is the same.
 */
export function canonicalKey (kind: string, settings: unknown): string {
  return kind + ' ' + JSON.stringify(settings, (key, value: unknown) => {
    if (key === 'at') return undefined
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}
