/** A field line for `HeaderList.edit`: what agents and filters ask for. */
export interface HeaderEdit {
  readonly action: 'set' | 'append' | 'remove'
  readonly name: string
  readonly value: string
}

/**
 * Field lines in wire order, duplicates and the sender's spelling kept (RFC 9110 section 5.3).
 *
 * Values are latin1 strings: one char code per byte, so nothing is lost on the way from wire to wire. Lookups ignore case.
 * Backed by one flat array `[name, value, name, value, …]`, which the list owns.
 */
export class HeaderList {
  #raw: string[]
  /** Somebody has the array as it is now. */
  #lent = false

  constructor (raw: string[] = []) {
    this.#raw = raw
  }

  /** From pairs, for the few headers the proxy writes itself. */
  static from (fields: Readonly<Record<string, string>>): HeaderList {
    return new HeaderList(Object.entries(fields).flat())
  }

  /** Number of field lines. */
  get size (): number {
    return this.#raw.length / 2
  }

  /** Value of the first field line of that name. `name` in lower case. */
  get (name: string): string | undefined {
    const raw = this.#raw
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i]!, name)) return raw[i + 1]
    }
    return undefined
  }

  /** Values of all field lines of that name, in order. `name` in lower case. */
  getAll (name: string): string[] {
    const found: string[] = []
    const raw = this.#raw
    for (let i = 0; i < raw.length; i += 2) {
      if (sameName(raw[i]!, name)) found.push(raw[i + 1]!)
    }
    return found
  }

  has (name: string): boolean {
    return this.get(name) !== undefined
  }

  /** Replaces the first line of that name in place, removes the others; appends when there was none. */
  set (name: string, value: string): void {
    const raw = this.#own()
    const lower = name.toLowerCase()
    for (let i = 0; i < raw.length; i += 2) {
      if (!sameName(raw[i]!, lower)) continue
      raw[i] = name
      raw[i + 1] = value
      this.#removeFrom(i + 2, (n) => sameName(n, lower))
      return
    }
    raw.push(name, value)
  }

  append (name: string, value: string): void {
    this.#own().push(name, value)
  }

  /** Removes every field line of that name. `name` in lower case. */
  remove (name: string): void {
    this.#removeFrom(0, (n) => sameName(n, name))
  }

  /** Removes every field line whose name `test` accepts. `test` gets the name as it was on the wire. */
  removeIf (test: (name: string) => boolean): void {
    this.#removeFrom(0, test)
  }

  edit (edit: HeaderEdit): void {
    switch (edit.action) {
      case 'set': return this.set(edit.name, edit.value)
      case 'append': return this.append(edit.name, edit.value)
      case 'remove': return this.remove(edit.name.toLowerCase())
    }
  }

  clone (): HeaderList {
    return new HeaderList(this.#raw.slice())
  }

  /** The flat array itself, to be read at once and not kept: it changes with the list. */
  raw (): readonly string[] {
    return this.#raw
  }

  /** The lines as they are now, for good: the same array for all who ask until the list changes, which then goes on with a copy. */
  frozen (): readonly string[] {
    this.#lent = true
    return this.#raw
  }

  * [Symbol.iterator] (): IterableIterator<[name: string, value: string]> {
    for (let i = 0; i < this.#raw.length; i += 2) yield [this.#raw[i]!, this.#raw[i + 1]!]
  }

  #own (): string[] {
    if (this.#lent) {
      this.#raw = this.#raw.slice()
      this.#lent = false
    }
    return this.#raw
  }

  #removeFrom (start: number, test: (name: string) => boolean): void {
    let raw = this.#raw
    let kept = start
    for (let i = start; i < raw.length; i += 2) {
      if (test(raw[i]!)) {
        // Most of what is looked for is not there: nobody needs a copy then.
        raw = this.#own()
        continue
      }
      if (kept === i) {
        kept += 2
        continue
      }
      raw[kept] = raw[i]!
      raw[kept + 1] = raw[i + 1]!
      kept += 2
    }
    if (kept !== raw.length) raw.length = kept
  }
}

/** Compares a name from the wire with a lower-case one; the length test spares most of the work. */
function sameName (wire: string, lower: string): boolean {
  return wire.length === lower.length && (wire === lower || wire.toLowerCase() === lower)
}

/**
 * Whether two names reach a CGI-like application as the same variable: `X_User`, `X.User`, `X!User` and `X-User` all become
 * `HTTP_X_USER` there, so whoever may not send one may not send the others. `canonical` comes from `canonicalName`.
 */
export function isAliasOf (wire: string, canonical: string): boolean {
  return wire.length === canonical.length && canonicalName(wire) === canonical
}

/** Lower case, with `-` for all that is neither letter nor digit: some servers make one character of `_` and `-`, some of all others too (lighttpd, Apache 2.2). */
export function canonicalName (name: string): string {
  const known = canonicalNames.get(name)
  if (known !== undefined) return known
  const canonical = name.toLowerCase().replace(/[^a-z0-9-]/g, '-')
  // A copy of its own: a piece of a head would keep the whole of it.
  if (canonicalNames.size < mostCanonicalNames && name.length <= longestCanonicalName) canonicalNames.set(Buffer.from(name, 'latin1').toString('latin1'), canonical)
  return canonical
}

/** Each field of each request is asked about several times, and clients send the same few dozen. Who sends others pays for them alone. */
const canonicalNames = new Map<string, string>()
const mostCanonicalNames = 1024
const longestCanonicalName = 64

/**
 * Members of a list, in small letters (RFC 9110 section 5.6.1). White space is space and tab: `trim` takes off octets above ASCII as well, and what
 * is a word for us would be none for the next reader.
 */
export function listItems (value: string): string[] {
  return value.toLowerCase().split(',').map((item) => {
    let start = 0
    let end = item.length
    while (start < end && isSpace(item.charCodeAt(start))) start++
    while (end > start && isSpace(item.charCodeAt(end - 1))) end--
    return item.slice(start, end)
  })
}

function isSpace (code: number): boolean {
  return code === 0x20 || code === 0x09
}
