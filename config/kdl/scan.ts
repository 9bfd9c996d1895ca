/**
 * A second look at a text that the KDL parser refused, made for people: it knows the mistakes they make, says where a string or block was
 * opened instead of where the file ended, and mends what can be mended, so that the rest of the file is checked in the same run.
 * It never decides whether a text is valid: that is the parser's word. Only the nesting limit is enforced here, before the parser recurses.
 */
import type { Scan } from './scan-state.ts'
import { fault, isNewline, isSpace, skipLine } from './scan-state.ts'
import { scanString, scanRawString } from './scan-strings.ts'
import { scanHash, scanWord } from './scan-words.ts'

interface OpenBlock {
  readonly offset: number
  readonly indent: number
}

/** Deepest nesting of blocks. The language itself needs eight. */
export const maxDepth = 64

export function scanText (text: string): Scan {
  const scan: Scan = { text, faults: [], edits: [], at: 0, words: 0, lineStart: true, broken: false, tooDeep: false }
  const open: OpenBlock[] = []
  let suspect: OpenBlock | undefined
  while (scan.at < text.length && !scan.tooDeep) {
    const char = text.charAt(scan.at)
    if (char === '}') {
      const closed = open.pop()
      if (closed === undefined) extraBrace(scan)
      // A brace that closes further left than its block began belongs to an outer one: this is the block that was left open.
      else if (scan.lineStart && indentAt(text, scan.at) < closed.indent) suspect ??= closed
      endStatement(scan)
      scan.lineStart = false
      scan.at++
    } else if (char === '{') {
      open.push({ offset: scan.at, indent: indentAt(text, scan.at) })
      if (open.length > maxDepth) tooDeep(scan)
      endStatement(scan)
      scan.at++
    } else {
      scanToken(scan, char)
    }
  }
  if (open.length > 0 && !scan.tooDeep) unclosedBlock(scan, suspect ?? open.at(-1) ?? { offset: 0, indent: 0 })
  return scan
}

function scanToken (scan: Scan, char: string): void {
  const { text, at } = scan
  if (isNewline(char)) {
    endStatement(scan)
    scan.lineStart = true
    scan.at++
    return
  }
  if (isSpace(char)) {
    scan.at++
    return
  }
  if (char === '/' && text[at + 1] === '/') return skipLine(scan)
  if (char === '/' && text[at + 1] === '*') return skipComment(scan)
  if (char === '/' && text[at + 1] === '-') {
    scan.at += 2
    return
  }
  if (char === ';') {
    endStatement(scan)
    scan.at++
    return
  }
  if (char === '"') scanString(scan)
  else if (char === '#' && /^#+"/.test(text.slice(at, at + 64))) scanRawString(scan)
  else if (char === '#') scanHash(scan)
  else if (char === '[' || char === ']') bracket(scan)
  else if (char === '(') skipAnnotation(scan)
  else if (char === '=') equals(scan)
  else if (char === '\\') continuation(scan)
  else scanWord(scan)
  scan.lineStart = false
}

function endStatement (scan: Scan): void {
  scan.words = 0
}

function skipComment (scan: Scan): void {
  const start = scan.at
  let depth = 0
  const marks = /\/\*|\*\//g
  marks.lastIndex = start
  for (let mark = marks.exec(scan.text); mark !== null; mark = marks.exec(scan.text)) {
    depth += mark[0] === '/*' ? 1 : -1
    if (depth === 0) {
      scan.at = marks.lastIndex
      return
    }
  }
  fault(scan, start, 2, 'this comment is never closed', 'end it with */')
  scan.broken = true
  scan.at = scan.text.length
}

/** `\` at the end of a line carries the node on to the next. */
function continuation (scan: Scan): void {
  scan.at++
  while (isSpace(scan.text[scan.at]) && !isNewline(scan.text[scan.at])) scan.at++
  if (scan.text.startsWith('//', scan.at)) skipLine(scan)
  if (scan.text.startsWith('\r\n', scan.at)) scan.at += 2
  else if (isNewline(scan.text[scan.at])) scan.at++
}

function skipAnnotation (scan: Scan): void {
  scan.at++
  while (scan.at < scan.text.length && scan.text[scan.at] !== ')' && !isNewline(scan.text[scan.at])) scan.at++
  if (scan.text[scan.at] === ')') scan.at++
}

function bracket (scan: Scan): void {
  fault(scan, scan.at, 1, `'${scan.text.charAt(scan.at)}' has no place in KDL`, 'a list is written as several values: name "a" "b"')
  scan.edits.push({ offset: scan.at, length: 1, text: ' ' })
  scan.at++
}

/** After the first word of a node an equals sign makes no sense: there is no node yet that could have a property. */
function equals (scan: Scan): void {
  if (scan.words <= 1) {
    fault(scan, scan.at, 1, 'a setting has no equals sign', 'write the name, a space and the value: name "value"')
    scan.edits.push({ offset: scan.at, length: 1, text: ' ' })
  }
  scan.at++
}

function extraBrace (scan: Scan): void {
  fault(scan, scan.at, 1, "this '}' closes nothing", 'remove it, or look for a block above that is closed too early')
  scan.broken = true
}

function unclosedBlock (scan: Scan, block: OpenBlock): void {
  fault(scan, block.offset, 1, 'this block is never closed', "a '}' is missing")
  scan.broken = true
}

function tooDeep (scan: Scan): void {
  scan.faults.length = 0
  scan.faults.push({
    code: 'CONFIG_NESTING', message: `blocks are nested more than ${maxDepth} deep`, offset: scan.at, length: 1,
  })
  scan.tooDeep = true
}

/** Width of the white space at the beginning of the line that `offset` is on. */
function indentAt (text: string, offset: number): number {
  let start = offset
  while (start > 0 && !isNewline(text[start - 1])) start--
  let width = 0
  while (text[start + width] === ' ' || text[start + width] === '\t') width++
  return width
}

/** The text with all edits made. */
export function mended (scan: Scan): string {
  let out = ''
  let from = 0
  for (const edit of scan.edits.toSorted((a, b) => a.offset - b.offset)) {
    if (edit.offset < from) continue
    out += scan.text.slice(from, edit.offset) + edit.text
    from = edit.offset + edit.length
  }
  return out + scan.text.slice(from)
}
