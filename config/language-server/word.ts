import { isNewline, isSpace } from '../kdl/scan-state.ts'
import { endOfLine } from '../kdl/scan-strings.ts'
import type { KdlValue } from '../kdl/nodes.ts'

/** Part of a text: offsets in UTF-16 units, the end not included. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** A name or a value as somebody is writing it. */
export interface Word extends Span {
  readonly value: KdlValue
  /** What stands between the quotes; the word itself when there are none. */
  readonly inner: Span
  readonly quoted: boolean
  /** False for a string whose end is not written yet. */
  readonly closed: boolean
}

const keywords: Readonly<Record<string, KdlValue>> = {
  '#true': true, '#false': false, '#null': null, '#inf': Number.POSITIVE_INFINITY, '#-inf': Number.NEGATIVE_INFINITY, '#nan': Number.NaN,
}

/** Reads the word at `from`, whatever state it is in. It is never empty. */
export function readWord (text: string, from: number): Word {
  if (text[from] === '"') return text.startsWith('"""', from) ? closedBy(text, from, '"""', '"""') : quotedWord(text, from)
  const raw = /^#+("""|")/.exec(text.slice(from, from + 70))
  if (raw !== null) return closedBy(text, from, raw[0], (raw[1] ?? '"') + '#'.repeat(raw[0].length - (raw[1] ?? '"').length))
  return bareWord(text, from)
}

function quotedWord (text: string, from: number): Word {
  let at = from + 1
  while (at < text.length && text[at] !== '"' && !isNewline(text[at])) at += text[at] === '\\' ? 2 : 1
  if (text[at] !== '"') return openWord(text, from, from + 1)
  const inner = { from: from + 1, to: at }
  return { from, to: at + 1, inner, quoted: true, closed: true, value: unescaped(text.slice(inner.from, inner.to)) }
}

function closedBy (text: string, from: number, opening: string, closing: string): Word {
  const start = from + opening.length
  const many = opening.endsWith('"""')
  const last = many ? text.length : endOfLine(text, from)
  const found = text.slice(start, last).indexOf(closing)
  if (found < 0 && !many) return openWord(text, from, start)
  if (found < 0) return { from, to: last, inner: { from: start, to: last }, quoted: true, closed: false, value: text.slice(start) }
  const end = start + found
  return { from, to: end + closing.length, inner: { from: start, to: end }, quoted: true, closed: true, value: text.slice(start, end) }
}

/** A string without its end goes to the end of the line, but what opens or closes a block there is not meant to be in it. */
function openWord (text: string, from: number, start: number): Word {
  let to = endOfLine(text, from)
  while (to > start && (isSpace(text[to - 1]) || '{};'.includes(text.charAt(to - 1)))) to--
  return { from, to, inner: { from: start, to }, quoted: true, closed: false, value: unescaped(text.slice(start, to)) }
}

function bareWord (text: string, from: number): Word {
  let to = from
  while (to < text.length && !isSpace(text[to]) && !'{}();"='.includes(text.charAt(to)) && !text.startsWith('//', to) && !text.startsWith('/*', to)) to++
  if (to === from) to++
  const written = text.slice(from, to)
  return { from, to, inner: { from, to }, quoted: false, closed: true, value: Object.hasOwn(keywords, written) ? keywords[written] ?? null : numberOr(written) }
}

function numberOr (written: string): KdlValue {
  if (!/^[+-]?\d/.test(written)) return written
  const number = Number(written.replaceAll('_', ''))
  return Number.isNaN(number) ? written : number
}

function unescaped (written: string): string {
  if (!written.includes('\\')) return written
  const plain: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', s: ' ', '"': '"', '\\': '\\' }
  return written.replace(/\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))/g, (whole, code: string | undefined, char: string | undefined) => {
    if (code !== undefined) return Number.parseInt(code, 16) <= 0x10ffff ? String.fromCodePoint(Number.parseInt(code, 16)) : whole
    return plain[char ?? ''] ?? whole
  })
}

/** What the word says as a text: the name of a node, the id of a thing. */
export function textOf (word: Word): string {
  return typeof word.value === 'string' ? word.value : String(word.value)
}
