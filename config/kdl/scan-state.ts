/** What the scanner of scan.ts carries along, and the small steps its parts share. */
export interface ScanFault {
  readonly code: 'CONFIG_SYNTAX' | 'CONFIG_NESTING'
  readonly message: string
  readonly hint?: string
  /** Offset in UTF-16 units, and length in the same. */
  readonly offset: number
  readonly length: number
}

/** Put `text` in the place of `length` units at `offset`. Never adds or removes a line. */
export interface Edit {
  readonly offset: number
  readonly length: number
  readonly text: string
}

export interface Scan {
  readonly text: string
  readonly faults: ScanFault[]
  readonly edits: Edit[]
  at: number
  /** Values and names seen since the last end of a statement. */
  words: number
  /** Only white space stood before on this line. */
  lineStart: boolean
  /** The structure itself is broken (an unclosed block, say): mending tokens would only produce follow-up errors. */
  broken: boolean
  tooDeep: boolean
}

const newline = /[\n\r\u0085\u000b\u000c\u2028\u2029]/

export function isNewline (char: string | undefined): boolean {
  return char !== undefined && newline.test(char)
}

export function isSpace (char: string | undefined): boolean {
  return char !== undefined && /[\s\uFEFF]/.test(char)
}

export function fault (scan: Scan, offset: number, length: number, message: string, hint?: string): void {
  scan.faults.push({ code: 'CONFIG_SYNTAX', message, offset, length, ...(hint === undefined ? {} : { hint }) })
}

export function skipLine (scan: Scan): void {
  while (scan.at < scan.text.length && !isNewline(scan.text[scan.at])) scan.at++
}
