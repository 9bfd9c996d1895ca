import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** `map<string, string>`. A Map, because keys come from strangers and may be called `__proto__`. */
export type Entries = ReadonlyMap<string, string>

export const noEntries: Entries = new Map()

const keyTag = 1 << 3 | 2
const valueTag = 2 << 3 | 2

export function writeEntries (w: Writer, entries: Entries, tag: number): void {
  if (entries.size === 0) return
  for (const [key, value] of [...entries].reverse()) {
    const mark = w.used
    // Map entries always carry both fields: other implementations write them so, and golden vectors must be equal.
    w.string(value)
    w.uint32(valueTag)
    w.string(key)
    w.uint32(keyTag)
    w.close(mark, tag)
  }
}

export function readEntry (r: Reader, parentEnd: number, entries: Map<string, string>): void {
  const end = r.open(parentEnd)
  let key = ''
  let value = ''
  while (r.pos < end) {
    const tag = r.uint32()
    if (tag === keyTag) key = r.string()
    else if (tag === valueTag) value = r.string()
    else r.skip(tag)
  }
  r.close(end)
  entries.set(key, value)
}
