/**
 * A text that two readers could understand in two ways, or that is more than is looked at. Whoever judges it could judge something else than
 * the next program reads, so it is not judged at all.
 */
export class Unreadable extends Error {}

export type Json = JsonObject | JsonArray | JsonText | JsonAtom

interface Placed {
  /** Where it stands in the text: `text.slice(start, end)` is exactly it. */
  readonly start: number
  readonly end: number
}

export interface JsonObject extends Placed {
  readonly kind: 'object'
  readonly members: readonly Member[]
}

export interface Member {
  readonly name: string
  /** Where its name begins. */
  readonly start: number
  readonly value: Json
}

export interface JsonArray extends Placed {
  readonly kind: 'array'
  readonly items: readonly Json[]
}

/** Its characters are decoded by `textOf` where somebody asks: most of a body is text that nobody does. */
export interface JsonText extends Placed {
  readonly kind: 'string'
}

export interface JsonAtom extends Placed {
  readonly kind: 'number' | 'true' | 'false' | 'null'
}

/** Levels of nesting, and values in one text. Schemas of tools nest some dozen deep. */
const maxDepth = 128
const maxValues = 200_000
/** No double has more digits that count. */
const maxNumberChars = 400

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 (RFC 8259 section 8.1) as text; throws `Unreadable` for anything else. */
export function utf8 (bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Unreadable('it is not UTF-8')
  }
}

/**
 * JSON by the letter of RFC 8259, each value with its place. Throws `Unreadable` for what is none, and for names that are twice in one object:
 * some programs take the first, others the last (RFC 8259 section 4).
 */
export function readJson (text: string): Json {
  return new JsonReader(text).whole()
}

class JsonReader {
  readonly #text: string
  #at = 0
  #values = 0

  constructor (text: string) {
    this.#text = text
  }

  whole (): Json {
    this.#blank()
    const value = this.#value(0)
    this.#blank()
    if (this.#at < this.#text.length) throw this.#wrong('something stands behind its end')
    return value
  }

  #value (depth: number): Json {
    if (depth > maxDepth) throw this.#wrong(`it nests deeper than ${maxDepth} levels`)
    if (++this.#values > maxValues) throw this.#wrong(`it has more than ${maxValues} values`)
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b: return this.#object(depth)
      case 0x5b: return this.#array(depth)
      case 0x22: return this.#string()
      case 0x74: return this.#word('true')
      case 0x66: return this.#word('false')
      case 0x6e: return this.#word('null')
      default: return this.#number()
    }
  }

  #object (depth: number): JsonObject {
    const start = this.#at++
    const members: Member[] = []
    const names = new Set<string>()
    this.#blank()
    if (this.#take(0x7d)) return { kind: 'object', start, end: this.#at, members }
    for (;;) {
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#wrong('a name is missing')
      const key = this.#string()
      const name = textOf(this.#text, key)
      if (names.has(name)) throw new Unreadable('a name is twice in one object')
      if (name.includes('\0') || loneSurrogate.test(name)) throw new Unreadable('a name has characters that not every program keeps')
      names.add(name)
      this.#blank()
      if (!this.#take(0x3a)) throw this.#wrong('a colon is missing')
      this.#blank()
      members.push({ name, start: key.start, value: this.#value(depth + 1) })
      this.#blank()
      if (this.#take(0x7d)) return { kind: 'object', start, end: this.#at, members }
      if (!this.#take(0x2c)) throw this.#wrong('a comma is missing')
      this.#blank()
    }
  }

  #array (depth: number): JsonArray {
    const start = this.#at++
    const items: Json[] = []
    this.#blank()
    if (this.#take(0x5d)) return { kind: 'array', start, end: this.#at, items }
    for (;;) {
      items.push(this.#value(depth + 1))
      this.#blank()
      if (this.#take(0x5d)) return { kind: 'array', start, end: this.#at, items }
      if (!this.#take(0x2c)) throw this.#wrong('a comma is missing')
      this.#blank()
    }
  }

  #string (): JsonText {
    const text = this.#text
    const start = this.#at
    let at = start + 1
    for (;;) {
      const char = text.charCodeAt(at)
      if (char === 0x22) break
      // NaN at the end of the text is less than nothing.
      if (!(char >= 0x20)) throw this.#wrong('a text does not end, or has a control character')
      at += char === 0x5c ? this.#escapeLength(at) : 1
    }
    this.#at = at + 1
    return { kind: 'string', start, end: this.#at }
  }

  #escapeLength (at: number): number {
    const char = this.#text[at + 1]
    if (char !== undefined && '"\\/bfnrt'.includes(char)) return 2
    if (char === 'u' && /^[0-9a-fA-F]{4}$/.test(this.#text.slice(at + 2, at + 6))) return 6
    throw this.#wrong('a text has an escape that is none')
  }

  #word (word: 'true' | 'false' | 'null'): JsonAtom {
    const start = this.#at
    if (!this.#text.startsWith(word, start)) throw this.#wrong('a value is missing')
    this.#at += word.length
    return { kind: word, start, end: this.#at }
  }

  #number (): JsonAtom {
    const start = this.#at
    while (isOfNumber(this.#text.charCodeAt(this.#at)) && this.#at - start <= maxNumberChars) this.#at++
    const digits = this.#text.slice(start, this.#at)
    if (digits.length > maxNumberChars || !/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(digits)) throw this.#wrong('a value is missing')
    return { kind: 'number', start, end: this.#at }
  }

  #blank (): void {
    for (;;) {
      const char = this.#text.charCodeAt(this.#at)
      if (char !== 0x20 && char !== 0x0a && char !== 0x0d && char !== 0x09) return
      this.#at++
    }
  }

  #take (char: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== char) return false
    this.#at++
    return true
  }

  #wrong (what: string): Unreadable {
    return new Unreadable(`it is not JSON: ${what} (character ${this.#at})`)
  }
}

function isOfNumber (char: number): boolean {
  return (char >= 0x30 && char <= 0x39) || char === 0x2d || char === 0x2b || char === 0x2e || char === 0x65 || char === 0x45
}

export function textOf (text: string, { start, end }: JsonText): string {
  return JSON.parse(text.slice(start, end)) as string // It was read as a string.
}

export function rawOf (text: string, { start, end }: Placed): string {
  return text.slice(start, end)
}

/**
 * The member of that name. Programs in Go take names in any case for it, so an object that has such a name is `Unreadable`: with both there they
 * would take the one that comes last.
 */
export function member (object: JsonObject, name: string): Json | undefined {
  let found: Json | undefined
  for (const { name: own, value } of object.members) {
    if (own === name) found = value
    else if (own.length === name.length && folded(own) === folded(name)) throw new Unreadable(`${JSON.stringify(own)} would be ${JSON.stringify(name)} for some programs`)
  }
  return found
}

/** Half of a pair: UTF-8 cannot say it. */
const loneSurrogate = /\p{Surrogate}/u

/** Simple case folding for names in ASCII: "ſ" and the Kelvin sign are "s" and "k" there. */
function folded (name: string): string {
  return name.toUpperCase().toLowerCase()
}

export function memberObject (object: JsonObject, name: string): JsonObject | undefined {
  const value = member(object, name)
  return value?.kind === 'object' ? value : undefined
}

export function itemsOf (object: JsonObject, name: string): readonly Json[] {
  const value = member(object, name)
  return value?.kind === 'array' ? value.items : []
}

/** The text of that member when it is one. */
export function memberText (text: string, object: JsonObject, name: string): string | undefined {
  const value = member(object, name)
  return value?.kind === 'string' ? textOf(text, value) : undefined
}

/** A name that means the same to every program: no control characters, which end a text for some, and nothing that UTF-8 cannot say. */
export function checkedName (name: string, what: string): string {
  if (name.length > 1024 || /[\u0000-\u001f\u007f]/.test(name) || loneSurrogate.test(name)) throw new Unreadable(`${what} has characters that not every program keeps`)
  return name
}
