import { isTokenCode, isValueCode } from './characters.ts'

export const cr = 0x0d
export const lf = 0x0a
const colon = 0x3a
const space = 0x20
const tab = 0x09

/** What is wrong with a message, for the log; `tooLarge` when it is only too much of it. */
export class Malformed {
  readonly detail: string
  readonly tooLarge: boolean

  constructor (detail: string, tooLarge = false) {
    this.detail = detail
    this.tooLarge = tooLarge
  }
}

/** A tab behind these is white space for one reader (RFC 9110 section 5.5), and part of an unknown coding or length for another. */
const framingNames = /^(?:transfer-encoding|content-length)$/i

/**
 * Reads field lines from `at` to the empty line (RFC 9112 section 5), which must be in `text` (latin1: a char for each octet), and adds name and
 * value of each to `fields`. Gives the offset behind the empty line. Strict: no line folding, no space before the colon, CRLF only.
 */
export function readFields (text: string, at: number, fields: string[], maxFields: number): number | Malformed {
  const most = fields.length + maxFields * 2
  for (;;) {
    let code = text.charCodeAt(at)
    if (code === cr) return text.charCodeAt(at + 1) === lf ? at + 2 : new Malformed('a bare CR')
    const nameStart = at
    while (isTokenCode(code)) code = text.charCodeAt(++at)
    if (at === nameStart || code !== colon) return new Malformed(wrongName(code, at === nameStart))
    const nameEnd = at
    do code = text.charCodeAt(++at)
    while (code === space || code === tab)
    const valueStart = at
    while (isValueCode(code)) code = text.charCodeAt(++at)
    if (code !== cr || text.charCodeAt(at + 1) !== lf) return new Malformed(code === cr ? 'a bare CR' : code === lf ? 'a bare LF' : 'a control character in a field value')
    if (fields.length >= most) return new Malformed(`more than ${maxFields} field lines`, true)
    const name = text.slice(nameStart, nameEnd)
    const valueEnd = withoutSpace(text, valueStart, at)
    if (valueEnd !== at && framingNames.test(name) && text.slice(valueEnd, at).includes('\t')) return new Malformed('a tab behind the value of a framing field')
    fields.push(name, text.slice(valueStart, valueEnd))
    at += 2
  }
}

/** Optional white space behind a value is no part of it. */
function withoutSpace (text: string, start: number, end: number): number {
  while (end > start && (text.charCodeAt(end - 1) === space || text.charCodeAt(end - 1) === tab)) end--
  return end
}

function wrongName (code: number, empty: boolean): string {
  if (code === lf) return 'a bare LF'
  if (empty && (code === space || code === tab)) return 'a folded field line'
  if (code === space || code === tab) return 'a space before the colon of a field'
  if (code === cr) return 'a field line without a colon'
  return empty && code === colon ? 'a field without a name' : 'a character in a field name that no name has'
}
