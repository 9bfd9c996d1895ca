/** Why a text is not taken as JSON: `name` = a member occurs twice, so that readers would differ in which one counts. */
export type JsonRefusal = 'malformed' | 'depth' | 'name'

const maxDepth = 100

/**
 * Whether a text is JSON (RFC 8259) that every reader reads in the same way, and is not nested so deeply that some would fall over. Costs one
 * pass, and no stack.
 */
export function refusalOf (text: string): JsonRefusal | undefined {
  return new Scanner(text).scan()
}

/** Names of the object that is being read; `undefined` in a list. */
type Names = Set<string> | undefined

class Scanner {
  readonly #text: string
  #at = 0

  constructor (text: string) {
    this.#text = text
  }

  scan (): JsonRefusal | undefined {
    const open: Names[] = []
    for (;;) {
      const refusal = this.#value(open)
      if (refusal !== undefined) return refusal
      // Everything that ends here.
      for (;;) {
        const end = this.#blank()
        if (open.length === 0) return end === this.#text.length ? undefined : 'malformed'
        const names = open.at(-1)
        const char = this.#text[this.#at++]
        if (char === ',') {
          if (names === undefined) break
          const wrong = this.#name(names)
          if (wrong !== undefined) return wrong
          break
        }
        if (char !== (names === undefined ? ']' : '}')) return 'malformed'
        open.pop()
      }
    }
  }

  /** A whole scalar or empty container, or the beginning of one, up to its first value. */
  #value (open: Names[]): JsonRefusal | undefined {
    for (;;) {
      const char = this.#text[this.#blank()]
      if (char === '"') return this.#string() === undefined ? 'malformed' : undefined
      if (char !== '{' && char !== '[') return this.#scalar() ? undefined : 'malformed'
      if (open.length === maxDepth) return 'depth'
      this.#at++
      const closing = char === '{' ? '}' : ']'
      if (this.#text[this.#blank()] === closing) {
        this.#at++
        return undefined
      }
      const names: Names = char === '{' ? new Set() : undefined
      open.push(names)
      if (names === undefined) continue
      const wrong = this.#name(names)
      if (wrong !== undefined) return wrong
    }
  }

  #name (names: Set<string>): JsonRefusal | undefined {
    this.#blank()
    const raw = this.#string()
    if (raw === undefined || this.#text[this.#blank()] !== ':') return 'malformed'
    this.#at++
    const name = raw.includes('\\') ? unescaped(raw) : raw
    if (name === undefined) return 'malformed'
    if (names.has(name)) return 'name'
    names.add(name)
    return undefined
  }

  /** What stands between the quotes, escapes and all. */
  #string (): string | undefined {
    const text = this.#text
    if (text[this.#at] !== '"') return undefined
    const start = ++this.#at
    for (;; this.#at++) {
      const code = text.charCodeAt(this.#at)
      if (code === 0x22) return text.slice(start, this.#at++)
      if (Number.isNaN(code) || code < 0x20) return undefined
      if (code !== 0x5c) continue
      this.#at++
      if (!/["\\/bfnrtu]/.test(text[this.#at] ?? '')) return undefined
      if (text[this.#at] === 'u' && !/^[0-9a-fA-F]{4}$/.test(text.slice(this.#at + 1, this.#at + 5))) return undefined
    }
  }

  #scalar (): boolean {
    scalarAt.lastIndex = this.#at
    const found = scalarAt.exec(this.#text)
    if (found === null) return false
    this.#at += found[0].length
    return true
  }

  /** Skips white space (RFC 8259 section 2); gives where it ends. */
  #blank (): number {
    for (;; this.#at++) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return this.#at
    }
  }
}

const scalarAt = /true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y

function unescaped (raw: string): string | undefined {
  try {
    return JSON.parse(`"${raw}"`) as string // One string, as its quotes say.
  } catch {
    return undefined
  }
}
