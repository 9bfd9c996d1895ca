/** Steps through a text that is known to be valid KDL 2: nothing here finds a mistake. */
import { isNewline } from '../kdl/scan-state.ts'

export interface Cursor {
  readonly text: string
  at: number
}

/** A word without quotes. To the parser a byte order mark is white space at the very beginning only, and a letter elsewhere. */
const bare = /(?:\uFEFF|[^\s\u0085{}()[\]/\\"#;=])+/y
const space = /[^\S\n\r\u000b\u000c\u2028\u2029\uFEFF]+/y

export function skipSpace (cursor: Cursor): boolean {
  space.lastIndex = cursor.at
  const found = space.exec(cursor.text)
  if (found !== null) cursor.at = space.lastIndex
  return found !== null
}

/** Takes a line break when one stands here. */
export function skipNewline (cursor: Cursor): boolean {
  const { text, at } = cursor
  if (!isNewline(text[at])) return false
  cursor.at += text.startsWith('\r\n', at) ? 2 : 1
  return true
}

/** A comment when one stands here; without the line break that ends it. */
export function takeComment (cursor: Cursor): string | undefined {
  const { text, at } = cursor
  if (text[at] !== '/') return undefined
  if (text[at + 1] === '/') {
    while (cursor.at < text.length && !isNewline(text[cursor.at])) cursor.at++
    return text.slice(at, cursor.at).trimEnd()
  }
  if (text[at + 1] !== '*') return undefined
  const marks = /\/\*|\*\//g
  marks.lastIndex = at
  let depth = 0
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) break
  }
  cursor.at = depth === 0 ? marks.lastIndex : text.length
  return text.slice(at, cursor.at)
}

/** A name, text, number or keyword, as written. */
export function takeWord (cursor: Cursor): string {
  const { text, at } = cursor
  const raw = text[at] === '#' ? rawOpening(text, at) : undefined
  if (raw !== undefined) {
    const end = text.indexOf(raw.end, at + raw.length)
    cursor.at = end < 0 ? text.length : end + raw.end.length
  } else if (text[at] === '"') {
    cursor.at = endOfString(text, at)
  } else {
    if (text[at] === '#') cursor.at++
    bare.lastIndex = cursor.at
    if (bare.exec(text) !== null) cursor.at = bare.lastIndex
  }
  if (cursor.at === at) throw new Error(`the formatter does not understand '${text.slice(at, at + 20)}'`)
  return text.slice(at, cursor.at)
}

function rawOpening (text: string, at: number): { length: number, end: string } | undefined {
  let hashes = 0
  while (text[at + hashes] === '#') hashes++
  if (text[at + hashes] !== '"') return undefined
  const quotes = text.startsWith('"""', at + hashes) ? '"""' : '"'
  return { length: hashes + quotes.length, end: quotes + '#'.repeat(hashes) }
}

function endOfString (text: string, start: number): number {
  const quotes = text.startsWith('"""', start) ? '"""' : '"'
  let at = start + quotes.length
  while (at < text.length && !text.startsWith(quotes, at)) at += text[at] === '\\' ? 2 : 1
  return at + quotes.length
}
