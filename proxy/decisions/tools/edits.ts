import type { Json, JsonArray, JsonObject } from './json.ts'

/** Something else in the place of a part of a text. */
export interface Edit {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The text with all of them made; what they do not name stays as it is, byte for byte. They must not overlap. */
export function edited (text: string, edits: readonly Edit[]): string {
  let out = ''
  let at = 0
  for (const { start, end, text: other } of edits.toSorted((a, b) => a.start - b.start)) {
    out += text.slice(at, start) + other
    at = end
  }
  return out + text.slice(at)
}

export function replaced ({ start, end }: Json, text: string): Edit {
  return { start, end, text }
}

/** Takes out those members, with the commas that parted them from the others. */
export function withoutMembers (object: JsonObject, names: readonly string[]): Edit[] {
  const parts = object.members.map(({ name, start, value }) => ({ start, end: value.end, kept: !names.includes(name) }))
  return withoutParts(parts)
}

export function withoutItems (array: JsonArray, taken: ReadonlySet<Json>): Edit[] {
  return withoutParts(array.items.map((item) => ({ start: item.start, end: item.end, kept: !taken.has(item) })))
}

function withoutParts (parts: readonly { readonly start: number, readonly end: number, readonly kept: boolean }[]): Edit[] {
  const edits: Edit[] = []
  let keptBefore = false
  parts.forEach((part, i) => {
    if (part.kept) {
      keptBefore = true
      return
    }
    const next = parts[i + 1]
    // The comma before it goes along, or, where nothing is kept before it, the one behind.
    if (keptBefore) edits.push({ start: parts[i - 1]!.end, end: part.end, text: '' })
    else edits.push({ start: part.start, end: next === undefined ? part.end : next.start, text: '' })
  })
  return edits
}
