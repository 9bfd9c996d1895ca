import type { RequestHead } from '../pipeline/exchange.ts'

/** A header or query parameter that must be there, with that value when one is given. */
export interface NamedMatch {
  readonly name: string
  readonly value?: string | undefined
}

/**
 * The `matches` block of a route. Several entries of one matcher are alternatives; different matchers, and headers or
 * parameters of different names, must all hold. An empty list asks for nothing.
 */
export interface Matches {
  readonly path: readonly string[]
  readonly pathPrefix: readonly string[]
  readonly pathRegex: ReadonlyArray<{ test (text: string): boolean }>
  readonly host: readonly string[]
  readonly hostRegex: ReadonlyArray<{ test (text: string): boolean }>
  readonly method: readonly string[]
  readonly header: readonly NamedMatch[]
  readonly queryParam: readonly NamedMatch[]
}

/** A request as the matchers see it: what is derived from the head is derived once for all routes. */
export interface Subject {
  readonly head: RequestHead
  /** Host without port and without a trailing dot, lower case. */
  readonly host: string
  /** Parsed only when a route asks for a parameter. */
  params: URLSearchParams | undefined
}

export interface Matcher {
  /** The setting's name, for `explain`. */
  readonly name: string
  readonly holds: (subject: Subject) => boolean
}

export function subjectOf (head: RequestHead): Subject {
  return { head, host: hostName(head.authority), params: undefined }
}

/** The host of an authority: `[::1]:80` → `[::1]`, `a.b.:80` → `a.b`. */
export function hostName (authority: string): string {
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':')
  const host = end > 0 ? authority.slice(0, end) : authority
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** One test for each matcher that asks for something, the cheapest first. */
export function compileMatches (m: Matches): Matcher[] {
  const matchers: Matcher[] = []
  if (m.method.length > 0) {
    const methods = new Set(m.method.map((method) => method.toUpperCase()))
    matchers.push({ name: 'method', holds: ({ head }) => methods.has(head.method) })
  }
  if (m.host.length > 0) matchers.push({ name: 'host', holds: hostTest(m.host) })
  if (m.hostRegex.length > 0) {
    matchers.push({ name: 'host-regex', holds: ({ host }) => m.hostRegex.some((regex) => regex.test(host)) })
  }
  if (m.path.length > 0) {
    const paths = new Set(m.path)
    matchers.push({ name: 'path', holds: ({ head }) => paths.has(head.path) })
  }
  if (m.pathPrefix.length > 0) {
    const prefixes = m.pathPrefix.map((prefix) => (prefix.endsWith('/') ? prefix.slice(0, -1) : prefix))
    matchers.push({ name: 'path-prefix', holds: ({ head }) => prefixes.some((prefix) => isBelow(head.path, prefix)) })
  }
  if (m.pathRegex.length > 0) {
    matchers.push({ name: 'path-regex', holds: ({ head }) => m.pathRegex.some((regex) => regex.test(head.path)) })
  }
  for (const [name, values] of byName(m.header, (name) => name.toLowerCase())) {
    matchers.push({ name: `header ${name}`, holds: ({ head }) => anyValue(values, head.headers.getAll(name)) })
  }
  for (const [name, values] of byName(m.queryParam, (name) => name)) {
    matchers.push({
      name: `query-param ${name}`,
      holds: (subject) => anyValue(values, (subject.params ??= new URLSearchParams(subject.head.query)).getAll(name)),
    })
  }
  return matchers
}

/** `a.b` exactly, `*.b` anything below b at any depth, `*` any. */
function hostTest (hosts: readonly string[]): (subject: Subject) => boolean {
  const lower = hosts.map((host) => host.toLowerCase())
  const exact = new Set(lower.filter((host) => !host.startsWith('*')).map(hostName))
  const suffixes = lower.filter((host) => host.startsWith('*')).map((host) => host.slice(1))
  return ({ host }) => exact.has(host) || suffixes.some((suffix) => host.length > suffix.length && host.endsWith(suffix))
}

/** Prefixes end on a segment border: `/api` holds for `/api` and `/api/x`, not for `/apix`. */
function isBelow (path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

/** Values asked for, by name; `undefined` among them means that presence is enough. */
function byName (entries: readonly NamedMatch[], canonical: (name: string) => string): Map<string, Array<string | undefined>> {
  const found = new Map<string, Array<string | undefined>>()
  for (const { name, value } of entries) {
    const key = canonical(name)
    found.set(key, [...found.get(key) ?? [], value])
  }
  return found
}

function anyValue (wanted: ReadonlyArray<string | undefined>, given: readonly string[]): boolean {
  return given.length > 0 && wanted.some((value) => value === undefined || given.includes(value))
}

/** How narrow a route is: of two that match with the same priority the narrower wins. The weights are those of the documentation. */
export function specificity (m: Matches): number {
  const longest = (texts: readonly string[]): number => Math.max(...texts.map((text) => text.length))
  let sum = 0
  if (m.path.length > 0) sum += 10_000
  if (m.pathRegex.length > 0) sum += 5_000
  if (m.pathPrefix.length > 0) sum += 1_000 + longest(m.pathPrefix)
  if (m.host.length > 0) sum += m.host.some((host) => host.startsWith('*')) ? 50 : 70
  if (m.hostRegex.length > 0) sum += 60
  for (const { value } of m.header) sum += value === undefined ? 20 : 30
  for (const { value } of m.queryParam) sum += value === undefined ? 15 : 25
  if (m.method.length > 0) sum += 10
  return sum
}
