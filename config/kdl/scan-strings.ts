import type { Scan } from './scan-state.ts'
import { fault, isNewline, isSpace, skipLine } from './scan-state.ts'

/** A quoted string at `scan.at`, single-line or `"""`. */
export function scanString (scan: Scan): void {
  const { text } = scan
  const start = scan.at
  scan.words++
  if (text.startsWith('"""', start)) {
    scanMultiLine(scan, start)
    return
  }
  scan.at++
  while (scan.at < text.length) {
    const char = text[scan.at]
    if (char === '"') {
      scan.at++
      afterString(scan)
      return
    }
    if (isNewline(char)) break
    if (char === '\\') scanEscape(scan)
    else scan.at++
  }
  unclosedString(scan, start)
}

function scanMultiLine (scan: Scan, start: number): void {
  let at = start + 3
  for (; at < scan.text.length; at++) {
    if (scan.text[at] === '\\') at++
    else if (scan.text.startsWith('"""', at)) {
      scan.at = at + 3
      return
    }
  }
  fault(scan, start, 3, 'this text is never closed', 'end it with """ on a line of its own')
  scan.broken = true
  scan.at = scan.text.length
}

/** `#"…"#` or `##"""…"""##`. */
export function scanRawString (scan: Scan): void {
  const start = scan.at
  scan.words++
  const opening = /^(#+)("""|")/.exec(scan.text.slice(start, start + 80))
  if (opening === null) {
    scan.at++
    return
  }
  const [whole, hashes = '#', quotes = '"'] = opening
  const end = scan.text.indexOf(quotes + hashes, start + whole.length)
  const lineEnd = endOfLine(scan.text, start)
  if (end < 0 || (quotes === '"' && end > lineEnd)) {
    fault(scan, start, whole.length, 'this raw string is never closed', `end it with ${quotes}${hashes}`)
    if (quotes === '"') blankToLineEnd(scan, start)
    else scan.broken = true
    if (scan.broken) scan.at = scan.text.length
    return
  }
  scan.at = end + quotes.length + hashes.length
  afterString(scan)
}

/** The raw strings of KDL 1: `r"…"` and `r#"…"#`, `scan.at` on the r. */
export function scanOldRawString (scan: Scan): void {
  const start = scan.at
  const hashes = /^r(#*)"/.exec(scan.text.slice(start, start + 64))?.[1] ?? ''
  fault(scan, start, 1 + hashes.length + 1, 'raw strings are written without the r', 'for example: #"\\d+"#')
  const end = scan.text.indexOf('"' + hashes, start + 2 + hashes.length)
  if (end < 0 || end > endOfLine(scan.text, start)) {
    blankToLineEnd(scan, start)
    return
  }
  scan.words++
  const open = hashes === '' ? '#"' : `${hashes}"`
  scan.edits.push({ offset: start, length: 2 + hashes.length, text: open })
  if (hashes === '') scan.edits.push({ offset: end, length: 1, text: '"#' })
  scan.at = end + 1 + hashes.length
}

function scanEscape (scan: Scan): void {
  const { text, at } = scan
  const next = text[at + 1]
  if (next === undefined) {
    scan.at++
  } else if (isSpace(next)) {
    scan.at++
    while (isSpace(text[scan.at])) scan.at++
  } else if ('"\\bfnrts'.includes(next) || (next === 'u' && text[at + 2] === '{')) {
    scan.at += 2
  } else {
    const what = next === 'u' ? 'write \\u{…} with the code point in hexadecimal' : 'write \\\\ for a backslash, or a raw string: #"…"#'
    fault(scan, at, 2, `'\\${next}' is not an escape`, what)
    scan.edits.push({ offset: at, length: 1, text: '\\\\' })
    scan.at += 2
  }
}

/** What comes right after a string without a space. */
function afterString (scan: Scan): void {
  const next = scan.text[scan.at]
  if (next === undefined || isSpace(next) || '{};=)/\\'.includes(next)) return
  if (next === ',') {
    fault(scan, scan.at, 1, 'values are separated by spaces, not commas', 'for example: name "a" "b"')
    scan.edits.push({ offset: scan.at, length: 1, text: ' ' })
    scan.at++
  } else if (next !== ']') {
    fault(scan, scan.at, 1, 'a space is missing after this string')
    scan.edits.push({ offset: scan.at, length: 0, text: ' ' })
  }
}

function unclosedString (scan: Scan, start: number): void {
  fault(scan, start, 1, 'this string is never closed', 'a " is missing on this line')
  blankToLineEnd(scan, start)
}

/** Puts an empty string in the place of the rest of the line, but keeps the braces at its end. */
function blankToLineEnd (scan: Scan, start: number): void {
  const end = endOfLine(scan.text, start)
  const rest = scan.text.slice(start, end).trimEnd()
  const keep = /[{};\s]*$/.exec(rest)?.[0].length ?? 0
  scan.edits.push({ offset: start, length: rest.length - keep, text: keep > 0 ? '"" ' : '""' })
  scan.at = start + rest.length - keep
  if (keep === 0) skipLine(scan)
}

export function endOfLine (text: string, from: number): number {
  let at = from
  while (at < text.length && !isNewline(text[at])) at++
  return at
}
