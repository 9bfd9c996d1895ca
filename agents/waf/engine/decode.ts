/** Rounds of decoding before the engine gives up and says so (rule `encoding-too-deep`). */
export const maxDecodeRounds = 5

/** Nothing without one of these changes in a round. */
const encoded = /[%&\\\x80-\uffff]/

/** Decodes until nothing changes, at most `maxDecodeRounds` times. `each` hears of the text after every round that changed it. */
export function decodeFully (text: string, each?: (decoded: string) => void): string {
  let current = text
  for (let round = 0; round < maxDecodeRounds; round++) {
    const next = decodeOnce(current)
    if (next === current) return current
    each?.(next)
    current = next
  }
  return current
}

/** Whether `decodeFully` stopped at its bound; `decoded` is its result. */
export function isStillEncoded (text: string, decoded: string): boolean {
  return text !== decoded && decodeOnce(decoded) !== decoded
}

/** One layer of every encoding an application, a template or a browser might undo. */
export function decodeOnce (text: string): string {
  if (!encoded.test(text)) return text
  let out = text
  if (out.includes('%')) out = percentDecode(out)
  if (/[\x80-\xff]/.test(out)) out = utf8Decode(out)
  if (out.includes('&')) out = entityDecode(out)
  if (out.includes('\\')) out = escapeDecode(out)
  if (/[\u0100-\uffff\xa0]/.test(out)) out = foldWidth(out)
  return out
}

/** `%41` and the IIS form `%u0041`; anything else after a percent sign stays. */
export function percentDecode (text: string): string {
  let out = ''
  let from = 0
  for (let at = text.indexOf('%'); at >= 0; at = text.indexOf('%', at)) {
    const wide = (text.charCodeAt(at + 1) | 0x20) === 0x75
    const end = wide ? at + 6 : at + 3
    const code = hexadecimal(text, wide ? at + 2 : at + 1, end)
    if (code < 0) {
      at++
      continue
    }
    out += text.slice(from, at) + String.fromCharCode(code)
    from = at = end
  }
  return from === 0 ? text : out + text.slice(from)
}

/** Value of the hexadecimal digits from `start` to `end`; -1 when there is anything else. */
function hexadecimal (text: string, start: number, end: number): number {
  let value = 0
  for (let i = start; i < end; i++) {
    const code = text.charCodeAt(i)
    const lower = code | 0x20
    if (code >= 0x30 && code <= 0x39) value = value << 4 | code - 0x30
    else if (lower >= 0x61 && lower <= 0x66) value = value << 4 | lower - 0x57
    else return -1
  }
  return value
}

/** As `percentDecode`, with `+` as a blank: query strings and `application/x-www-form-urlencoded`. */
export function formDecode (text: string): string {
  const spaced = text.includes('+') ? text.replaceAll('+', ' ') : text
  return spaced.includes('%') ? percentDecode(spaced) : spaced
}

/**
 * Byte sequences of UTF-8 become characters. Overlong forms (`C0 AF` for "/") are read as the lenient decoders read
 * them that made them famous, and so are the truncated forms of old IIS (`C0 2F` for "/", `C1 1C` for "\"). No form may
 * swallow another ASCII character: characters that were decoded already look like bytes here, and "À'" must keep its quote.
 */
function utf8Decode (text: string): string {
  return text.replace(
    /[\xc0-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf7][\x80-\xbf]{3}|\xc0[./]|\xc1\x1c/g,
    (bytes) => {
      const first = bytes.charCodeAt(0)
      let code = bytes.length === 2 ? first & 0x1f : bytes.length === 3 ? first & 0x0f : first & 0x07
      for (let i = 1; i < bytes.length; i++) code = code << 6 | bytes.charCodeAt(i) & 0x3f
      return code <= 0x10ffff ? String.fromCodePoint(code) : bytes
    }
  )
}

const entities: Readonly<Record<string, string>> = {
  lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: ' ', tab: '\t', newline: '\n', colon: ':', semi: ';', comma: ',', period: '.',
  lpar: '(', rpar: ')', lsqb: '[', lbrack: '[', rsqb: ']', rbrack: ']', lcub: '{', lbrace: '{', rcub: '}', rbrace: '}',
  sol: '/', bsol: '\\',
  excl: '!', num: '#', dollar: '$', percnt: '%', ast: '*', midast: '*', plus: '+', equals: '=', quest: '?',
  commat: '@', hat: '^', grave: '`',
  lowbar: '_', verbar: '|', vert: '|', shy: '', zerowidthspace: ''
}

/** Numeric references with or without a semicolon, and the named ones that stand for ASCII (HTML, section 13.5). */
function entityDecode (text: string): string {
  return text.replace(/&(?:#[xX]([0-9a-fA-F]{1,8})|#([0-9]{1,10})|([a-zA-Z]{2,14})(?=;)|(lt|gt|quot|amp)(?![a-z0-9=]));?/gi,
    (all, hex?: string, decimal?: string, named?: string, legacy?: string) => {
      if (hex !== undefined) return fromCode(parseInt(hex, 16), all)
      if (decimal !== undefined) return fromCode(parseInt(decimal, 10), all)
      return entities[(named ?? legacy ?? '').toLowerCase()] ?? all
    })
}

/** `\x41`, `\u0041`, `\u{41}`, `\101`: JavaScript, JSON and shell (`$'…'`) escapes. Other backslashes stay, paths need them. */
function escapeDecode (text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|u\{0*([0-9a-fA-F]{1,6})\}|([0-3][0-7]{2}))/g,
    (all, byte?: string, unit?: string, point?: string, octal?: string) => {
      if (octal !== undefined) return String.fromCharCode(parseInt(octal, 8))
      return fromCode(parseInt(byte ?? unit ?? point ?? '', 16), all)
    })
}

const compatible = /[\u2000-\u200a\u202f\u205f\u2070-\u209f\u2100-\u214f\u2460-\u24ff\u3000\ufe50-\ufe6f\uff00-\uffef\xa0\u{1d400}-\u{1d7ff}]/gu

/** Full-width, small, mathematical and circled forms of ASCII, and the apostrophes that code pages map to "'". */
function foldWidth (text: string): string {
  return text
    .replace(compatible, (char) => char.normalize('NFKC'))
    .replace(/[\u02b9\u02bc\u02ca\u2032]/g, "'")
    .replace(/[\u2329\u3008]/g, '<')
    .replace(/[\u232a\u3009]/g, '>')
    .replace(/[\u2215\u2044]/g, '/')
}

function fromCode (code: number, otherwise: string): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : otherwise
}
