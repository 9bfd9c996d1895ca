/** Which octets may stand where (RFC 9110 section 5.6.2, RFC 9112 section 3 and 5). One table, one bit for each kind. */
const tokenBit = 1
const valueBit = 2
const targetBit = 4

const kinds = new Uint8Array(256)
for (let code = 0x21; code < 0x7f; code++) kinds[code] = valueBit | targetBit
for (let code = 0x80; code < 0x100; code++) kinds[code] = valueBit
kinds[0x09] = valueBit
kinds[0x20] = valueBit
for (const char of "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") kinds[char.charCodeAt(0)]! |= tokenBit

/** Codes above 255 and NaN (behind the end of a text) are of no kind. */
function isKind (code: number, bit: number): boolean {
  return code < 256 && (kinds[code]! & bit) !== 0
}

/** Of methods and field names. */
export function isTokenCode (code: number): boolean {
  return isKind(code, tokenBit)
}

/** Of field values: visible characters, obs-text, space and tab. */
export function isValueCode (code: number): boolean {
  return isKind(code, valueBit)
}

/** Of request targets: visible ASCII. Anything else has to be percent-encoded (RFC 3986 section 2). */
export function isTargetCode (code: number): boolean {
  return isKind(code, targetBit)
}

export function isToken (text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isTokenCode(text.charCodeAt(at))) return false
  return text !== ''
}

export function isFieldValue (text: string): boolean {
  for (let at = 0; at < text.length; at++) if (!isValueCode(text.charCodeAt(at))) return false
  return true
}
