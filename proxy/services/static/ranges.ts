/** Bytes `first` to `last`, both among them. */
export interface ByteRange {
  readonly first: number
  readonly last: number
}

/** Nobody who reads a document asks for more at a time; CVE-2011-3192 did. */
const mostRanges = 16

/**
 * What a `Range` field asks of `size` bytes (RFC 9110 section 14.1.2). `undefined` when it is to be ignored: it is in other units, malformed, or asks for
 * so much that the whole is less. An empty list: nothing of it is there.
 */
export function readRanges (field: string, size: number): readonly ByteRange[] | undefined {
  const spec = /^bytes[ \t]*=(.*)$/i.exec(field)?.[1]
  if (spec === undefined) return undefined
  const parts = spec.split(',', mostRanges + 1).map((part) => part.replace(/^[ \t]+|[ \t]+$/g, '')).filter((part) => part !== '')
  if (parts.length === 0 || parts.length > mostRanges) return undefined
  const ranges: ByteRange[] = []
  for (const part of parts) {
    const range = readRange(part, size)
    if (range === undefined) return undefined
    if (range.first <= range.last) ranges.push(range)
  }
  return overlap(ranges) ? undefined : ranges
}

/** `undefined`: malformed. One that ends before it begins is not satisfiable. */
function readRange (part: string, size: number): ByteRange | undefined {
  const match = /^(\d*)-(\d*)$/.exec(part)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '') return last === '' ? undefined : { first: Math.max(0, size - Number(last)), last: Number(last) === 0 ? -1 : size - 1 }
  if (last !== '' && Number(last) < Number(first)) return undefined
  return { first: Number(first), last: last === '' ? size - 1 : Math.min(Number(last), size - 1) }
}

function overlap (ranges: readonly ByteRange[]): boolean {
  if (ranges.length < 2) return false
  const inOrder = [...ranges].sort((a, b) => a.first - b.first)
  return inOrder.some(({ first }, i) => i > 0 && first <= inOrder[i - 1]!.last)
}
