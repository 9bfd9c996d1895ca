import type { FieldLines } from '../proto/codec/index.ts'

/** One change of a header. `set` removes every field of that name first; `remove` ignores the value. */
export interface HeaderEdit {
  /** What is done to the fields of that name. */
  readonly action: 'set' | 'append' | 'remove'
  /** A token (RFC 9110 section 5.6.2), in any case. */
  readonly name: string
  /** Bytes of the value, one character each. */
  readonly value: string
}

/** Headers as an author writes them: a record (an array gives several fields of one name), or pairs in order. */
export type HeadersInit = Readonly<Record<string, string | readonly string[]>> | Iterable<readonly [name: string, value: string]>

/** Changes as an author writes them: text sets, an array sets several fields, `null` removes. Or single edits in order. */
export type HeaderEdits = Readonly<Record<string, string | readonly string[] | null>> | readonly HeaderEdit[]

/**
 * The header fields of a request or response, in order and with duplicates, as they were on the wire: values are bytes, one
 * character each (latin1). What `set`, `append` and `remove` do is seen here at once and reaches the proxy with the next decision.
 */
export class HeaderView implements Iterable<[name: string, value: string]> {
  #lines: FieldLines
  #edits: HeaderEdit[] = []
  #locked: string | undefined

  /** @internal `lines` is not changed. `locked`: why these headers can only be read. */
  constructor (lines: FieldLines, locked?: string) {
    this.#lines = lines
    this.#locked = locked
  }

  /**
   * The value of a field; several fields of that name are joined with ", " (RFC 9110 section 5.3), cookies with "; "
   * (RFC 9113 section 8.2.3), so that a second one cannot hide.
   */
  get (name: string): string | undefined {
    const lower = name.toLowerCase()
    const lines = this.#lines
    let found: string | undefined
    for (let i = 0; i < lines.length; i += 2) {
      if (!sameName(lines[i]!, lower)) continue
      found = found === undefined ? lines[i + 1]! : `${found}${lower === 'cookie' ? '; ' : ', '}${lines[i + 1]!}`
    }
    return found
  }

  /** The values of all fields of that name, in order. */
  getAll (name: string): string[] {
    const lower = name.toLowerCase()
    return [...this].filter(([n]) => sameName(n, lower)).map(([, value]) => value)
  }

  /** The values of all `Set-Cookie` fields, which are never joined (RFC 6265 section 3). */
  getSetCookie (): string[] {
    return this.getAll('set-cookie')
  }

  /** Whether there is a field of that name, in any case. */
  has (name: string): boolean {
    const lower = name.toLowerCase()
    for (let i = 0; i < this.#lines.length; i += 2) if (sameName(this.#lines[i]!, lower)) return true
    return false
  }

  /** Replaces every field of that name by one. Throws a TypeError for what cannot stand in a header. */
  set (name: string, value: string): void {
    this.#record(headerEdit('set', name, value))
  }

  /** Adds a field, beside any of the same name. Throws a TypeError for what cannot stand in a header. */
  append (name: string, value: string): void {
    this.#record(headerEdit('append', name, value))
  }

  /** Removes every field of that name. */
  remove (name: string): void {
    this.#record(headerEdit('remove', name, ''))
  }

  /** The same as `remove`, under its name in `Headers` of fetch. */
  delete (name: string): void {
    this.remove(name)
  }

  /** Number of field lines, duplicates counted. */
  get size (): number {
    return this.#lines.length / 2
  }

  /** Every field line in order: name as on the wire, value. */
  * [Symbol.iterator] (): IterableIterator<[name: string, value: string]> {
    const lines = this.#lines
    for (let i = 0; i < lines.length; i += 2) yield [lines[i]!, lines[i + 1]!]
  }

  /** Every field line in order, as iterating over the view itself gives them. */
  entries (): IterableIterator<[name: string, value: string]> {
    return this[Symbol.iterator]()
  }

  /** The names of all field lines, as on the wire and with duplicates. */
  * keys (): IterableIterator<string> {
    for (const [name] of this) yield name
  }

  /** The values of all field lines. */
  * values (): IterableIterator<string> {
    for (const [, value] of this) yield value
  }

  /** Calls `visit` for every field line in order. */
  forEach (visit: (value: string, name: string, headers: HeaderView) => void): void {
    for (const [name, value] of this) visit(value, name, this)
  }

  /** @internal The edits since the last call. */
  takeEdits (): readonly HeaderEdit[] {
    if (this.#edits.length === 0) return noEdits
    const edits = this.#edits
    this.#edits = []
    return edits
  }

  /** @internal From now on changes throw, with this reason. */
  lock (reason: string): void {
    this.#locked = reason
  }

  #record (edit: HeaderEdit): void {
    if (this.#locked !== undefined) throw new TypeError(`header "${edit.name}" cannot be changed: ${this.#locked}`)
    this.#edits.push(edit)
    const lower = edit.name.toLowerCase()
    const kept = edit.action === 'append' ? [...this.#lines] : [...this].filter(([n]) => !sameName(n, lower)).flat()
    if (edit.action !== 'remove') kept.push(edit.name, edit.value)
    this.#lines = kept
  }
}

const noEdits: readonly HeaderEdit[] = []

/** Field names are tokens (RFC 9110 section 5.6.2). */
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** Bytes of a field value (RFC 9110 section 5.5): no control characters but tab, and nothing that is no byte. */
const fieldValue = /^[\t\u0020-\u007e\u0080-\u00ff]*$/

/** A checked edit. Throws a TypeError: CR, LF or NUL in a header would be the agent injecting headers into somebody's traffic. */
export function headerEdit (action: HeaderEdit['action'], name: string, value: string): HeaderEdit {
  checkField(name, value)
  return { action, name, value }
}

export function editsOf (edits: HeaderEdits): HeaderEdit[] {
  if (isList(edits)) return edits.map((edit) => headerEdit(edit.action, edit.name, edit.value))
  return Object.entries(edits).flatMap(([name, value]) => {
    if (value === null) return [headerEdit('remove', name, '')]
    if (!Array.isArray(value)) return [headerEdit('set', name, value as string)]
    return value.map((one, i) => headerEdit(i === 0 ? 'set' : 'append', name, one))
  })
}

/** The flat form of the protocol: name, value, name, value. Throws a TypeError for what cannot stand in a header. */
export function linesOf (headers: HeadersInit): string[] {
  const lines: string[] = []
  const add = (name: string, value: string): void => {
    checkField(name, value)
    lines.push(name, value)
  }
  if (isIterable(headers)) {
    for (const [name, value] of headers) add(name, value)
  } else {
    for (const [name, value] of Object.entries(headers)) for (const one of [value].flat()) add(name, one)
  }
  return lines
}

export function checkToken (text: string, what: string): void {
  if (typeof text !== 'string' || !token.test(text)) throw new TypeError(`${what} ${JSON.stringify(text)} is not a token`)
}

function checkField (name: string, value: string): void {
  checkToken(name, 'header name')
  checkText(value, 'the value of header', name)
  if (!fieldValue.test(value)) throw new TypeError(`the value of header "${name}" holds a character that no header can carry`)
}

/** For authors without a compiler: what is no text has to be made one by them. */
export function checkText (value: unknown, what: string, name: string): void {
  if (typeof value !== 'string') throw new TypeError(`${what} ${JSON.stringify(name)} is a text, not ${value === null ? 'null' : `of type ${typeof value}`}`)
}

function isList (edits: HeaderEdits): edits is readonly HeaderEdit[] {
  return Array.isArray(edits)
}

function isIterable (headers: HeadersInit): headers is Iterable<readonly [string, string]> {
  return Symbol.iterator in headers
}

function sameName (wire: string, lower: string): boolean {
  return wire.length === lower.length && (wire === lower || wire.toLowerCase() === lower)
}
