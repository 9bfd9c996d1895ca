import { hash } from 'node:crypto'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json }

/**
 * JSON with exactly one spelling for one value (RFC 8785): members sorted by the UTF-16 units of their names, no white space,
 * numbers and strings as ECMAScript writes them. Throws on what has no JSON form (NaN, Infinity, undefined).
 */
export function canonicalJson (value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw new TypeError('a number without a JSON form')
    return JSON.stringify(value)
  }
  if (value === null || typeof value === 'boolean') return String(value)
  if (isList(value)) return canonicalList(value)
  if (typeof value !== 'object') throw new TypeError(`${typeof value} has no JSON form`)
  return `{${canonicalMembers(value).join(',')}}`
}

/** The members of an object as `"name":value`, in canonical order. */
export function canonicalMembers (value: { readonly [name: string]: Json }): string[] {
  // The default order compares UTF-16 units, which is what section 3.2.3 asks for.
  const names = Object.keys(value).sort()
  const members: string[] = []
  for (const name of names) members.push(quotedName(name) + canonicalJson(value[name]!))
  return members
}

/** Names repeat from record to record; those of agents' details are bounded in number here. */
const quotedNames = new Map<string, string>()

function quotedName (name: string): string {
  let quoted = quotedNames.get(name)
  if (quoted === undefined) {
    quoted = `${JSON.stringify(name)}:`
    if (quotedNames.size < 500) quotedNames.set(name, quoted)
  }
  return quoted
}

function canonicalList (items: readonly Json[]): string {
  let out = ''
  for (const item of items) out += out === '' ? canonicalJson(item) : `,${canonicalJson(item)}`
  return `[${out}]`
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: Json): value is readonly Json[] {
  return Array.isArray(value)
}

/** SHA-256 of the UTF-8 of a text, hex. */
export function sha256 (text: string): string {
  return hash('sha256', text, 'hex')
}
