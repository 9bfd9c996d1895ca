import { paramsOf, type Matcher, type Subject } from './match.ts'

/** Why a route was not taken: for people, in words. */
export interface Finding {
  /** "path-prefix", "header x-key". */
  readonly matcher: string
  /** What the route asks for: `"/api" or "/v1"`. */
  readonly wanted: string
  /** What the request has: `the path is "/x"`. */
  readonly found: string
}

export function findingOf (matcher: Matcher, subject: Subject): Finding {
  return { matcher: matcher.name, wanted: wantedBy(matcher), found: foundFor(matcher, subject) }
}

/** What a condition asks for. */
export function wantedBy (matcher: Matcher): string {
  switch (matcher.kind) {
    case 'method': return alternatives(matcher.values)
    case 'path': return alternatives(matcher.values.map(quoted))
    case 'path-prefix': return alternatives(matcher.values.map((prefix) => quoted(prefix === '' ? '/' : prefix)))
    case 'host': return alternatives([...matcher.exact, ...matcher.suffixes.map((suffix) => `*${suffix}`)].map(quoted))
    case 'path-regex':
    case 'host-regex': return alternatives(matcher.patterns.map(({ source }) => `#"${source}"#`))
    case 'header':
    case 'query-param': {
      const present = matcher.values.includes(undefined)
      const values = alternatives(matcher.values.flatMap((value) => value === undefined ? [] : [quoted(value)]))
      if (matcher.invert) return present ? 'not to be there' : `not ${values}`
      return present ? 'to be there' : values
    }
  }
}

function foundFor (matcher: Matcher, subject: Subject): string {
  switch (matcher.kind) {
    case 'method': return `the method is ${subject.head.method}`
    case 'path':
    case 'path-prefix':
    case 'path-regex': return `the path is ${quoted(subject.head.path)}`
    case 'host':
    case 'host-regex': return subject.host === '' ? 'no host was named' : `the host is ${quoted(subject.host)}`
    case 'header': return namedValues(subject.head.headers.getAll(matcher.key))
    case 'query-param': return namedValues(paramsOf(subject).getAll(matcher.key))
  }
}

function namedValues (values: readonly string[]): string {
  return values.length === 0 ? 'it is not there' : `it is ${values.slice(0, 3).map(quoted).join(', ')}${values.length > 3 ? ' …' : ''}`
}

/** A long list is cut: whoever reads it wants to know what kind of thing is asked for. */
function alternatives (words: readonly string[]): string {
  const [shown, more] = words.length > 6 ? [words.slice(0, 5), words.length - 5] : [words, 0]
  return shown.join(' or ') + (more > 0 ? ` or ${more} more` : '')
}

function quoted (text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 97)}…` : text)
}
