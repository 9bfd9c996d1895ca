import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/**
 * `repeated Header` as one flat array `[name, value, name, value, …]` of latin1 texts (one char code per byte), in order and
 * with duplicates: the shape header lists have on both sides, so that no object and no buffer is made per field line.
 */
export type FieldLines = readonly string[]

const encoded = Symbol('encoded')

interface Encoded {
  readonly tag: number
  readonly bytes: Buffer
}

interface KeepingLines extends FieldLines {
  /** `undefined` until they were written once. */
  [encoded]?: Encoded | undefined
}

/** For lines that several receivers get, and that never change again: they are encoded for the first of them alone. */
export function keepEncoded (lines: FieldLines): FieldLines {
  const keeping: KeepingLines = lines
  if (!(encoded in keeping)) keeping[encoded] = undefined
  return lines
}

const nameTag = 1 << 3 | 2
const valueTag = 2 << 3 | 2

export function writeFieldLines (w: Writer, lines: KeepingLines, tag: number): void {
  const known = lines[encoded]
  if (known?.tag === tag) return w.encoded(known.bytes)
  const begin = w.used
  writeLines(w, lines, tag)
  // A copy: a part of the writer's memory would keep all of it.
  if (encoded in lines) lines[encoded] = { tag, bytes: w.copySince(begin) }
}

function writeLines (w: Writer, lines: FieldLines, tag: number): void {
  for (let i = lines.length - 2; i >= 0; i -= 2) {
    const mark = w.used
    // `i` is even and below the length.
    const name = lines[i]!
    const value = lines[i + 1]!
    if (value !== '') {
      w.latin1(value)
      w.uint32(valueTag)
    }
    if (name !== '') {
      w.latin1(name)
      w.uint32(nameTag)
    }
    w.close(mark, tag)
  }
}

export function readFieldLine (r: Reader, parentEnd: number, lines: string[]): void {
  const end = r.open(parentEnd)
  let name = ''
  let value = ''
  while (r.pos < end) {
    const tag = r.uint32()
    if (tag === nameTag) name = r.latin1()
    else if (tag === valueTag) value = r.latin1()
    else r.skip(tag)
  }
  r.close(end)
  lines.push(name, value)
}
