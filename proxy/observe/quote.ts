/** Anything that is not plain printable ASCII, or means something inside a JSON string. */
const unusual = /[^\u0020\u0021\u0023-\u005b\u005d-\u007e]/
/** Valid in JSON strings as they are, but they move the cursor, end lines or turn the reading direction where the log is shown. */
const unprintable = /[\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g

/**
 * A JSON string that stays on one line and shows as what it is. Clean text (nearly all) costs one scan.
 * `text` may come from the wire as latin1 (one char per byte): bytes that are UTF-8 are shown as the letters they stand for.
 */
export function quote (text: string, maxChars = 4096): string {
  const bounded = text.length > maxChars ? `${text.slice(0, maxChars)}…` : text
  return unusual.test(bounded) ? quoteUnusual(bounded) : `"${bounded}"`
}

/** As `quote`, for words that come back with nearly every request: names of the configuration, methods, addresses. */
export function quoted (word: string): string {
  const known = knownWords.get(word)
  if (known !== undefined) return known
  const text = quote(word)
  if (knownWords.size < mostWords && word.length <= longestWord) knownWords.set(ownCopy(word), ownCopy(text))
  return text
}

const knownWords = new Map<string, string>()
const mostWords = 1024
const longestWord = 64

/** A piece of a head would keep the whole of it in memory. */
function ownCopy (text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le')
}

function quoteUnusual (text: string): string {
  return JSON.stringify(asUtf8(text)).replace(unprintable, escapeUnit)
}

/** On one line and without control characters, for a terminal: who wrote it can neither steer that nor make up lines of ours. */
export function printable (text: string): string {
  return text.replace(/[\u0000-\u001f]/g, escapeUnit).replace(unprintable, escapeUnit)
}

/** As JSON, on one line and without anything that could steer a terminal: it means the same. */
export function jsonText (value: unknown): string {
  return JSON.stringify(value).replace(unprintable, escapeUnit)
}

function escapeUnit (unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function asUtf8 (text: string): string {
  let high = false
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // Not from the wire: a character of its own already.
    if (unit > 0xff) return text
    if (unit > 0x7f) high = true
  }
  if (!high) return text
  try {
    return utf8.decode(Buffer.from(text, 'latin1'))
  } catch {
    return text
  }
}
