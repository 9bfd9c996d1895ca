import type { HeaderList } from '../pipeline/headers.ts'

/** Directives by their names in small letters. `true` = without a value; `null` = said twice in different ways, or with a value that cannot be read. */
export type Directives = ReadonlyMap<string, string | true | null>

const none: Directives = new Map()
const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * Members of a list field; commas in quoted strings belong to their member (RFC 9110 section 5.6.1 and 5.6.4). A quoted string that does not end takes all
 * that is left: what somebody meant to hide in it is not read.
 */
export function members (value: string): string[] {
  if (!value.includes('"')) return value.split(',').map(trimmed).filter((member) => member !== '')
  const found: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < value.length; i++) {
    const char = value[i]!
    if (quoted && char === '\\') i++
    else if (char === '"') quoted = !quoted
    else if (char === ',' && !quoted) {
      found.push(value.slice(start, i))
      start = i + 1
    }
  }
  found.push(value.slice(start))
  return found.map(trimmed).filter((member) => member !== '')
}

function trimmed (text: string): string {
  return text.replace(/^[ \t]+|[ \t]+$/g, '')
}

/** Members of all lines of a field. `name` in lower case. */
export function fieldMembers (headers: HeaderList, name: string): string[] {
  return headers.getAll(name).flatMap(members)
}

/** RFC 9111 section 5.2; of a directive that is there twice neither value is believed (section 4.2.1). */
export function readDirectives (headers: HeaderList, name = 'cache-control'): Directives {
  if (!headers.has(name)) return none
  const directives = new Map<string, string | true | null>()
  for (const member of fieldMembers(headers, name)) {
    const equals = member.indexOf('=')
    const key = (equals === -1 ? member : member.slice(0, equals)).toLowerCase()
    if (!token.test(key)) continue
    const value = equals === -1 ? true : unquoted(member.slice(equals + 1))
    const before = directives.get(key)
    directives.set(key, before === undefined || before === value ? value : null)
  }
  return directives
}

function unquoted (value: string): string | null {
  if (token.test(value)) return value
  const quoted = /^"((?:[^"\\]|\\.)*)"$/s.exec(value)
  return quoted === null ? null : quoted[1]!.replace(/\\(.)/gs, '$1')
}

/** More than any cache keeps anything: what does not fit is as good as for ever (RFC 9111 section 1.2.2). */
const foreverSeconds = 2 ** 31

/** Seconds of a directive; `undefined` when it is not there, 0 when it says nothing that can be read: an answer is then stale. */
export function secondsOf (directives: Directives, name: string): number | undefined {
  const value = directives.get(name)
  if (value === undefined) return undefined
  return typeof value === 'string' && /^\d+$/.test(value) ? Math.min(Number(value), foreverSeconds) : 0
}
