import type { Pattern } from '../../config/schema/index.ts'
import type { RequestHead } from '../pipeline/exchange.ts'

/** A header or query parameter that must be there, with that value when one is given. */
export interface NamedMatch {
  readonly name: string
  readonly value?: string | undefined
  /** The condition holds when it otherwise would not. */
  readonly invert?: boolean | undefined
}

/**
 * The `matches` block of a route. Several entries of one matcher are alternatives; different matchers, and headers or
 * parameters of different names, must all hold. Of inverted entries of one name none may be there. An empty list asks for nothing.
 */
export interface Matches {
  readonly path: readonly string[]
  readonly pathPrefix: readonly string[]
  readonly pathRegex: readonly Pattern[]
  readonly host: readonly string[]
  readonly hostRegex: readonly Pattern[]
  readonly method: readonly string[]
  readonly header: readonly NamedMatch[]
  readonly queryParam: readonly NamedMatch[]
}

/** A request as the matchers see it: what is derived from the head is derived once for all routes. */
export interface Subject {
  head: RequestHead
  /** Host without port and without a trailing dot, lower case. */
  host: string
  /** Parsed only when a route asks for a parameter. */
  params: URLSearchParams | undefined
}

interface Test {
  /** The setting's name, with the header's or parameter's own behind it: "path-prefix", "header x-key". */
  readonly name: string
  readonly holds: (subject: Subject) => boolean
}

/** One member of the union for each kind, so that a kind can be picked out. */
type Of<K extends string, Data> = K extends string ? Test & { readonly kind: K } & Data : never

interface Named {
  /** Of a header in lower case. */
  readonly key: string
  /** `undefined` among them: presence is enough. */
  readonly values: ReadonlyArray<string | undefined>
  readonly invert: boolean
}

interface Hosts {
  readonly exact: readonly string[]
  /** ".b" of "*.b"; "" of "*". */
  readonly suffixes: readonly string[]
}

/** One condition of a route: as a test, and as data for the index and for `explain`. */
export type Matcher =
  | Of<'method' | 'path' | 'path-prefix', { readonly values: readonly string[] }>
  | Of<'host', Hosts>
  | Of<'path-regex' | 'host-regex', { readonly patterns: readonly Pattern[] }>
  | Of<'header' | 'query-param', Named>

export function subjectOf (head: RequestHead): Subject {
  return { head, host: hostName(head.authority), params: undefined }
}

export function paramsOf (subject: Subject): URLSearchParams {
  return subject.params ??= new URLSearchParams(subject.head.query)
}

/** The host of an authority: `[::1]:80` → `[::1]`, `a.b.:80` → `a.b`. */
export function hostName (authority: string): string {
  const end = authority.startsWith('[') ? authority.indexOf(']') + 1 : authority.indexOf(':')
  const host = end > 0 ? authority.slice(0, end) : authority
  return host.endsWith('.') ? host.slice(0, -1) : host
}

/** One matcher for each kind of condition that asks for something, the cheapest first. */
export function compileMatches (m: Matches): Matcher[] {
  const matchers: Matcher[] = []
  if (m.method.length > 0) {
    const values = [...new Set(m.method.map((method) => method.toUpperCase()))]
    matchers.push({ kind: 'method', name: 'method', values, holds: ({ head }) => values.includes(head.method) })
  }
  if (m.host.length > 0) matchers.push(hostMatcher(m.host))
  if (m.hostRegex.length > 0) {
    matchers.push({ kind: 'host-regex', name: 'host-regex', patterns: m.hostRegex, holds: ({ host }) => m.hostRegex.some((regex) => regex.test(host)) })
  }
  if (m.path.length > 0) matchers.push({ kind: 'path', name: 'path', values: m.path, holds: setTest(m.path) })
  if (m.pathPrefix.length > 0) {
    const values = m.pathPrefix.map(withoutSlash)
    matchers.push({ kind: 'path-prefix', name: 'path-prefix', values, holds: ({ head }) => values.some((prefix) => isBelow(head.path, prefix)) })
  }
  if (m.pathRegex.length > 0) {
    matchers.push({ kind: 'path-regex', name: 'path-regex', patterns: m.pathRegex, holds: ({ head }) => m.pathRegex.some((regex) => regex.test(head.path)) })
  }
  for (const one of byName(m.header, (name) => name.toLowerCase())) {
    matchers.push({ kind: 'header', name: `header ${one.key}`, ...one, holds: ({ head }) => anyValue(one.values, head.headers.getAll(one.key)) !== one.invert })
  }
  for (const one of byName(m.queryParam, (name) => name)) {
    matchers.push({
      kind: 'query-param', name: `query-param ${one.key}`, ...one, holds: (subject) => anyValue(one.values, paramsOf(subject).getAll(one.key)) !== one.invert,
    })
  }
  return matchers
}

function setTest (paths: readonly string[]): (subject: Subject) => boolean {
  if (paths.length === 1) return ({ head }) => head.path === paths[0]
  const set = new Set(paths)
  return ({ head }) => set.has(head.path)
}

function withoutSlash (prefix: string): string {
  return prefix.endsWith('/') ? prefix.slice(0, -1) : prefix
}

/** `a.b` exactly, `*.b` anything below b at any depth, `*` any. */
function hostMatcher (hosts: readonly string[]): Matcher {
  const lower = hosts.map((host) => host.toLowerCase())
  const exact = lower.filter((host) => !host.startsWith('*')).map(hostName)
  const suffixes = lower.filter((host) => host.startsWith('*')).map((host) => host.slice(1))
  return {
    kind: 'host', name: 'host', exact, suffixes,
    holds: ({ host }) => exact.includes(host) || suffixes.some((suffix) => host.length > suffix.length && host.endsWith(suffix)),
  }
}

/** Prefixes end on a segment border: `/api` holds for `/api` and `/api/x`, not for `/apix`. */
function isBelow (path: string, prefix: string): boolean {
  return path.startsWith(prefix) && (path.length === prefix.length || path.charCodeAt(prefix.length) === 0x2f)
}

interface ByName {
  readonly key: string
  readonly values: Array<string | undefined>
  readonly invert: boolean
}

/** What is asked of each name; apart from it, what must not be. */
function byName (entries: readonly NamedMatch[], canonical: (name: string) => string): Iterable<ByName> {
  if (entries.length === 0) return []
  const found = new Map<string, ByName>()
  for (const { name, value, invert = false } of entries) {
    const key = canonical(name)
    const known = found.get(`${invert} ${key}`)
    if (known === undefined) found.set(`${invert} ${key}`, { key, values: [value], invert })
    else known.values.push(value)
  }
  return found.values()
}

function anyValue (wanted: ReadonlyArray<string | undefined>, given: readonly string[]): boolean {
  return given.length > 0 && wanted.some((value) => value === undefined || given.includes(value))
}

/** How narrow a route is: of two that match with the same priority the narrower wins. The weights are those of the documentation. */
export function specificity (m: Matches): number {
  let sum = 0
  if (m.path.length > 0) sum += 10_000
  if (m.pathRegex.length > 0) sum += 5_000
  if (m.pathPrefix.length > 0) sum += 1_000 + m.pathPrefix.reduce((longest, { length }) => Math.max(longest, length), 0)
  if (m.host.length > 0) sum += m.host.some((host) => host.startsWith('*')) ? 50 : 70
  if (m.hostRegex.length > 0) sum += 60
  for (const { value } of m.header) sum += value === undefined ? 20 : 30
  for (const { value } of m.queryParam) sum += value === undefined ? 15 : 25
  if (m.method.length > 0) sum += 10
  return sum
}
