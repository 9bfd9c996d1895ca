/** What a JSON text holds, as far as an attack may sit in it. */
export interface JsonFindings {
  /** Every name and every string, decoded. */
  readonly strings: { readonly path: string, readonly text: string, readonly isName: boolean }[]
  readonly wellFormed: boolean
  /** Deeper or longer than the bounds; nothing behind that point was read. */
  readonly outOfBounds: boolean
  /** A name occurs twice in one object, so readers may differ in which value they take. */
  readonly repeatedName: boolean
}

const maxDepth = 64
const maxEntries = 20_000

/**
 * Reads JSON as RFC 8259 has it and keeps every string, of repeated names too: `JSON.parse` keeps the last value only,
 * and the application may take the first.
 */
export function readJson (text: string): JsonFindings {
  const reader = new JsonReader(text)
  return reader.read()
}

class JsonReader {
  readonly #text: string
  #at = 0
  #entries = 0
  readonly #strings: JsonFindings['strings'] = []
  #outOfBounds = false
  #repeatedName = false

  constructor (text: string) {
    this.#text = text
  }

  read (): JsonFindings {
    if (this.#text.charCodeAt(0) === 0xfeff) this.#at = 1
    const wellFormed = this.#value('', 0) && this.#blank() === this.#text.length
    return { strings: this.#strings, wellFormed, outOfBounds: this.#outOfBounds, repeatedName: this.#repeatedName }
  }

  #value (path: string, depth: number): boolean {
    if (++this.#entries > maxEntries || depth > maxDepth) {
      this.#outOfBounds = true
      return false
    }
    switch (this.#text[this.#blank()]) {
      case '{': return this.#object(path, depth)
      case '[': return this.#array(path, depth)
      case '"': return this.#string(path, false) !== undefined
      default: return this.#scalar()
    }
  }

  #object (path: string, depth: number): boolean {
    const names = new Set<string>()
    this.#at++
    if (this.#take('}')) return true
    for (;;) {
      this.#blank()
      const name = this.#string(path, true)
      if (name === undefined || !this.#take(':')) return false
      if (names.has(name)) this.#repeatedName = true
      names.add(name)
      const inner = path === '' ? name.slice(0, 64) : path.length > 128 ? path : `${path}.${name.slice(0, 64)}`
      if (!this.#value(inner, depth + 1)) return false
      if (this.#take('}')) return true
      if (!this.#take(',')) return false
    }
  }

  #array (path: string, depth: number): boolean {
    this.#at++
    if (this.#take(']')) return true
    for (;;) {
      if (!this.#value(path, depth + 1)) return false
      if (this.#take(']')) return true
      if (!this.#take(',')) return false
    }
  }

  #string (path: string, isName: boolean): string | undefined {
    const text = this.#text
    if (text[this.#at] !== '"') return undefined
    const start = ++this.#at
    let escaped = false
    for (;; this.#at++) {
      const code = text.charCodeAt(this.#at)
      if (code === 0x22) break
      if (Number.isNaN(code) || code < 0x20) return undefined
      if (code !== 0x5c) continue
      escaped = true
      this.#at++
    }
    const raw = text.slice(start, this.#at++)
    const decoded = escaped ? unescapeJson(raw) : raw
    if (decoded !== undefined) this.#strings.push({ path, text: decoded, isName })
    return decoded
  }

  #scalar (): boolean {
    scalarAt.lastIndex = this.#at
    const found = scalarAt.exec(this.#text)
    if (found === null) return false
    this.#at += found[0].length
    return true
  }

  #take (char: string): boolean {
    if (this.#text[this.#blank()] !== char) return false
    this.#at++
    return true
  }

  /** Skips white space (RFC 8259 section 2); returns where it ends. */
  #blank (): number {
    const text = this.#text
    for (;; this.#at++) {
      const code = text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return this.#at
    }
  }
}

const scalarAt = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y

function unescapeJson (raw: string): string | undefined {
  try {
    // The quotes and control characters were checked by the caller, so this is one string.
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return undefined
  }
}
