import type { Scan } from './scan-state.ts'
import { fault, isNewline, isSpace, skipLine } from './scan-state.ts'
import { endOfLine, scanOldRawString } from './scan-strings.ts'

const keywords = ['true', 'false', 'null', 'inf', '-inf', 'nan']
const number = /^[+-]?(?:0x[0-9a-fA-F][0-9a-fA-F_]*|0o[0-7][0-7_]*|0b[01][01_]*|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][+-]?\d[\d_]*)?)$/

/** A word without quotes: a name, an identifier string, a number or a mistake. */
export function scanWord (scan: Scan): void {
  const { text } = scan
  const start = scan.at
  if (/^r#*"/.test(text.slice(start, start + 64))) {
    scanOldRawString(scan)
    return
  }
  let end = start
  while (end < text.length && !isSpace(text[end]) && !'{}();"#='.includes(text.charAt(end)) && !startsComment(text, end)) end++
  if (end === start) end++
  // Brackets and a backslash end a word too, but are part of what has to be quoted.
  const word = text.slice(start, end)
  scan.at = end
  scan.words++
  judge(scan, word, start)
}

function startsComment (text: string, at: number): boolean {
  return text.startsWith('//', at) || text.startsWith('/*', at)
}

function judge (scan: Scan, word: string, start: number): void {
  const bare = word.replace(/[[\],]+$/, '')
  if (keywords.includes(bare)) {
    fault(scan, start, bare.length, `'${bare}' needs a # in front`, `write #${bare}`)
    scan.edits.push({ offset: start, length: bare.length, text: `#${bare}` })
    scan.at = start + bare.length
  } else if (/^[+-]?\.?\d/.test(bare) && !number.test(bare)) {
    if (scan.words === 1) fault(scan, start, bare.length, 'a name cannot begin with a digit', `write "${bare}"`)
    else fault(scan, start, bare.length, `'${bare}' is not a number`, `a value with a unit or a sign in it needs quotes: "${bare}"`)
    quote(scan, start, bare)
  } else if (/[/\\[\]]/.test(bare)) {
    fault(scan, start, bare.length, `'${bare}' needs quotes`, `write "${bare.replaceAll('\\', '\\\\')}"`)
    quote(scan, start, bare)
  } else if (word !== bare && /[[\]]/.test(word)) {
    scan.at = start + bare.length
  }
}

function quote (scan: Scan, start: number, word: string): void {
  scan.edits.push({ offset: start, length: word.length, text: JSON.stringify(word) })
  scan.at = start + word.length
}

/** A `#` that does not begin a raw string: a keyword, or somebody's comment. */
export function scanHash (scan: Scan): void {
  const { text } = scan
  const start = scan.at
  const word = /^#+[^\s{}();"#=]*/.exec(text.slice(start, start + 64))?.[0] ?? '#'
  if (keywords.includes(word.slice(1))) {
    scan.words++
    scan.at += word.length
    return
  }
  if (scan.lineStart || (isSpace(text[start - 1]) && (isSpace(text[start + 1]) || isNewline(text[start + 1])))) {
    fault(scan, start, 1, 'comments begin with //', 'a # only stands before true, false, null and raw strings')
    scan.edits.push({ offset: start, length: endOfLine(text, start) - start, text: '' })
    skipLine(scan)
    return
  }
  fault(scan, start, word.length, `'${word}' is not a keyword`, 'there are #true, #false and #null; anything else needs quotes')
  scan.edits.push({ offset: start, length: word.length, text: JSON.stringify(word) })
  scan.words++
  scan.at += word.length
}
