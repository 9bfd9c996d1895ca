import { decodeFully, decodeOnce } from './decode.ts'

/**
 * Pure functions from text to text. Each returns the very same string when it has nothing to do, which is what makes
 * ordinary requests cheap: equal strings are matched once.
 */
export const transformations = {
  /** Percent, %u, overlong UTF-8, HTML entities, \x and \u escapes and width variants, to a bounded fixed point. */
  decode: (text: string) => decodeFully(text),
  /** One round of the same. */
  decodeOnce,
  removeNulls,
  sqlComments,
  joinComments,
  compressWhitespace,
  removeWhitespace,
  cssDecode,
  normalisePath,
  commandLine,
  base64Decode
} satisfies Record<string, (text: string) => string>

export type Transformation = keyof typeof transformations

function removeNulls (text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '') : text
}

/**
 * SQL comments as a server reads them: block comments and comments ended by a newline become a blank, the content of
 * MySQL's conditional comments (`/*!50000 union*\/`) stays.
 */
function sqlComments (text: string): string {
  if (!text.includes('/*') && !text.includes('\n')) return text
  return replaceBlockComments(text.replace(/(?:--[ \t-]?|#)[^\n]{0,200}\n/g, ' '), ' ')
}

/** Block comments vanish, so that `un/**\/ion` reads as one word: what a filter behind us that deletes them would see. */
function joinComments (text: string): string {
  if (!text.includes('/*')) return text
  return replaceBlockComments(text, '')
}

/** Linear, whatever the text: a regular expression would start over at each of a million unclosed comments. */
function replaceBlockComments (text: string, by: string): string {
  if (!text.includes('/*')) return text
  const opened = text.replace(/\/\*M?![0-9]{0,6}/g, by)
  let out = ''
  let at = 0
  for (;;) {
    const start = opened.indexOf('/*', at)
    const end = start < 0 ? -1 : opened.indexOf('*/', start + 2)
    if (end < 0) break
    out += opened.slice(at, start) + by
    at = end + 2
  }
  return (out + opened.slice(at)).replaceAll('*/', by)
}

/** Every run of white space, vertical tab and Unicode blanks included, becomes one blank. */
function compressWhitespace (text: string): string {
  return text.replace(/[^\S ][\s\x85\u200b-\u200d]*|[\x85\u200b-\u200d][\s\x85\u200b-\u200d]*| [\s\x85\u200b-\u200d]+/g, ' ')
}

/** Browsers drop tabs, newlines and leading control characters inside URL schemes. Without a colon there is no scheme. */
function removeWhitespace (text: string): string {
  return text.includes(':') && /[\x00-\x20\x7f-\xa0]/.test(text) ? text.replace(/[\x00-\x20\x7f-\xa0\u200b-\u200d]+/g, '') : text
}

/** CSS escapes: backslash and up to six hex digits, or backslash before a letter; comments vanish (CSS Syntax 4.3.7). */
function cssDecode (text: string): string {
  if (!text.includes('\\') && !text.includes('/*')) return text
  return joinComments(text).replace(/\\(?:([0-9a-fA-F]{1,6})[ \t\n\f\r]?|([^\n\r\f0-9a-fA-F]))/g, (_all, hex?: string, char?: string) => {
    if (hex === undefined) return char ?? ''
    const code = parseInt(hex, 16)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : ''
  })
}

/** Backslashes as slashes, repeated slashes and `/./` merged; `..` stays, it is what the rules look for. */
function normalisePath (text: string): string {
  if (!text.includes('\\') && !text.includes('//') && !text.includes('/./')) return text
  return text.replaceAll('\\', '/').replace(/\/(?:\.?\/)+/g, '/')
}

/** A command line as a shell reads it: quotes, carets, backslashes and empty expansions vanish, ${IFS} is a blank. */
function commandLine (text: string): string {
  if (!/["'\\^$`{]/.test(text)) return text
  return text
    .replace(/\$\{?IFS\}?(?:\$[0-9@*])?/gi, ' ')
    .replace(/\$\(\)|``/g, '')
    .replace(/\$\{[a-z_][a-z0-9_]{0,30}\}|\$[@*0-9]|\$\{[@*0-9]\}/gi, '')
    .replace(/\{([^{}\s,]{1,100}),([^{}\s]{1,200})\}/g, (_all, first: string, rest: string) => `${first} ${rest.replaceAll(',', ' ')}`)
    .replace(/["'\\^]/g, '')
}

/** The text that a value would be if it is base64 and that text is readable; otherwise the value itself. */
function base64Decode (text: string): string {
  if (text.length < 12 || text.length > 65536 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(text)) return text
  const decoded = Buffer.from(text, 'base64').toString('latin1')
  return /^[\t\n\r\x20-\x7e]{8,}$/.test(decoded) ? decodeFully(decoded) : text
}
