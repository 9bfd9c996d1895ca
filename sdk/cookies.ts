/** The cookies that a client sent, as its browser keeps them: values are not decoded, quotes around one are taken off. */
export class CookieView implements Iterable<[name: string, value: string]> {
  readonly #pairs: readonly (readonly [name: string, value: string])[]

  /** @internal `header`: the value of `Cookie`, or undefined when there is none. */
  constructor (header: string | undefined) {
    this.#pairs = header === undefined ? [] : header.split(';').flatMap(pairOf)
  }

  /** The first cookie of that name. Names are case-sensitive. A client may send several: `getAll` has every one. */
  get (name: string): string | undefined {
    return this.#pairs.find(([own]) => own === name)?.[1]
  }

  /** The values of all cookies of that name, in the order the client sent them. */
  getAll (name: string): string[] {
    return this.#pairs.flatMap(([own, value]) => own === name ? [value] : [])
  }

  /** Whether there is a cookie of that name. */
  has (name: string): boolean {
    return this.#pairs.some(([own]) => own === name)
  }

  /** Number of cookies, duplicates counted. */
  get size (): number {
    return this.#pairs.length
  }

  /** Every cookie in order: name, value. */
  * [Symbol.iterator] (): IterableIterator<[name: string, value: string]> {
    for (const [name, value] of this.#pairs) yield [name, value]
  }
}

/** As RFC 6265 section 5.2 reads a pair. One without "=" is a value without a name to browsers, and nobody can ask for it. */
function pairOf (text: string): [name: string, value: string][] {
  const at = text.indexOf('=')
  const name = text.slice(0, Math.max(at, 0)).trim()
  if (name === '') return []
  const value = text.slice(at + 1).trim()
  const isQuoted = value.length > 1 && value.startsWith('"') && value.endsWith('"')
  return [[name, isQuoted ? value.slice(1, -1) : value]]
}
