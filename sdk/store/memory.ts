import { checkKey, checkStep, checkValue, checkedTtl, counterFull, noCounter, type OwnedStore } from './store.ts'

interface Entry {
  readonly value: string
  readonly bytes: number
  /** Of the clock; Infinity: stays. */
  readonly until: number
}

/** Bounds of what the process remembers. */
export interface MemoryBounds {
  readonly maxEntries: number
  readonly maxBytes: number
}

const standard: MemoryBounds = { maxEntries: 100_000, maxBytes: 64 * 1024 * 1024 }
/** What a Map, its key and an entry cost beside their texts. */
const entryBytes = 150

/** Milliseconds that only grow. */
export function monotonic (): number {
  return performance.now()
}

/** A store in the memory of this process. When it is full, what was not used for the longest time goes. */
export function memoryStore (bounds: MemoryBounds = standard, now: () => number = monotonic): OwnedStore {
  // A Map keeps the order in which keys came: whatever is used is put at its end.
  const entries = new Map<string, Entry>()
  let bytes = 0

  const remove = (key: string, entry: Entry): void => {
    entries.delete(key)
    bytes -= entry.bytes
  }
  const find = (key: string): Entry | undefined => {
    const entry = entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until <= now()) {
      remove(key, entry)
      return undefined
    }
    entries.delete(key)
    entries.set(key, entry)
    return entry
  }
  const put = (key: string, value: string, until: number): void => {
    const old = entries.get(key)
    if (old) remove(key, old)
    const entry = { value, until, bytes: 2 * (key.length + value.length) + entryBytes }
    entries.set(key, entry)
    bytes += entry.bytes
    if (entries.size > bounds.maxEntries || bytes > bounds.maxBytes) shrink()
  }
  const shrink = (): void => {
    const nowMs = now()
    // A few of the oldest that are over anyway, then the oldest of all.
    let looked = 0
    for (const [key, entry] of entries) {
      if (++looked > 20) break
      if (entry.until <= nowMs) remove(key, entry)
    }
    for (const [key, entry] of entries) {
      if (entries.size <= bounds.maxEntries && bytes <= bounds.maxBytes) break
      remove(key, entry)
    }
  }
  const untilOf = (ttlMs: number | undefined): number => ttlMs === undefined ? Infinity : now() + ttlMs

  return {
    async get (key) {
      checkKey(key)
      return find(key)?.value
    },
    async set (key, value, options = {}) {
      checkKey(key)
      checkValue(value)
      put(key, value, untilOf(checkedTtl(options)))
    },
    async increment (key, { by = 1, ...options } = {}) {
      checkKey(key)
      checkStep(by)
      const ttlMs = checkedTtl(options)
      const old = find(key)
      if (old !== undefined && !/^-?\d{1,16}$/.test(old.value)) throw noCounter()
      const sum = Number(old?.value ?? 0) + by
      if (!Number.isSafeInteger(sum)) throw counterFull()
      put(key, String(sum), old === undefined || old.until === Infinity ? untilOf(ttlMs) : old.until)
      return sum
    },
    async delete (key) {
      checkKey(key)
      const old = find(key)
      if (old) remove(key, old)
      return old !== undefined
    },
    async close () {
      entries.clear()
      bytes = 0
    },
  }
}
