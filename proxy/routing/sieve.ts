import { compileSet, type Pattern } from '../../config/schema/regex.ts'
import { paramsOf, type Matcher } from './match.ts'
import { searchOnce, searchSieve, type Candidate, type Part, type Search, type Sieve } from './search.ts'

/** So many are asked one by one: a key to tell them apart costs more. */
const few = 8

type Kind = 'header' | 'query-param' | 'path-regex' | 'host-regex' | 'method'
type MatcherOf<K extends Matcher['kind']> = Extract<Matcher, { readonly kind: K }>
interface Keyed<M extends Matcher> {
  readonly candidate: Candidate
  readonly by: M
}
type Group = Array<Keyed<MatcherOf<Kind>>>

/** What tells most apart goes first. */
const preference: readonly Kind[] = ['header', 'query-param', 'path-regex', 'host-regex', 'method']

/** Puts candidates (ascending by rank) into one row when they are few, and otherwise behind what their conditions ask for. */
export function sieveOf (candidates: readonly Candidate[]): Sieve {
  const least = candidates[0]?.rank ?? Infinity
  if (candidates.length <= few) return { row: candidates, parts: [], least, turn: 0 }
  const groups = new Map<Kind, Group>()
  const row: Candidate[] = []
  for (const candidate of candidates) {
    const by = keyOf(candidate)
    if (by === undefined) row.push(candidate)
    else add(groups, by.kind, { candidate, by })
  }
  const parts: Part[] = []
  for (const kind of preference) {
    const group = groups.get(kind)
    if (group === undefined) continue
    if (group.length <= few) row.push(...group.map(({ candidate }) => candidate))
    else parts.push(...partsOf(kind, group))
  }
  // Where the best is likely to be, the search begins.
  return { row: row.sort((a, b) => a.rank - b.rank), parts: parts.sort((a, b) => a.least - b.least), least, turn: 0 }
}

/** The condition that a candidate is best found by. */
function keyOf ({ checks }: Candidate): MatcherOf<Kind> | undefined {
  let best: MatcherOf<Kind> | undefined
  let at = preference.length
  for (const check of checks) {
    if (check.kind === 'host' || check.kind === 'path' || check.kind === 'path-prefix') continue
    if ((check.kind === 'header' || check.kind === 'query-param') && check.invert) continue
    const place = preference.indexOf(check.kind)
    if (place < at) {
      best = check
      at = place
    }
  }
  return best
}

function partsOf (kind: Kind, group: Group): Part[] {
  const least = group[0]!.candidate.rank
  switch (kind) {
    // `sieveOf` puts into a group what is of its kind.
    case 'header': return [{ least, search: headerSearch(byNameAndValue(group as Array<Keyed<MatcherOf<'header'>>>)) }]
    case 'query-param': return [{ least, search: paramSearch(byNameAndValue(group as Array<Keyed<MatcherOf<'query-param'>>>)) }]
    case 'method': return [{ least, search: methodSearch(group as Array<Keyed<MatcherOf<'method'>>>) }]
    case 'path-regex': return patternParts(group as Array<Keyed<MatcherOf<'path-regex'>>>, (search) => search.head.path)
    case 'host-regex': return patternParts(group as Array<Keyed<MatcherOf<'host-regex'>>>, (search) => search.host)
  }
}

function methodSearch (group: ReadonlyArray<Keyed<MatcherOf<'method'>>>): Part['search'] {
  const lists = new Map<string, Candidate[]>()
  for (const { candidate, by } of group) {
    for (const method of by.values) add(lists, method, without(candidate, by))
  }
  const sieves = sievesOf(lists)
  return (search) => {
    const sieve = sieves.get(search.head.method)
    if (sieve !== undefined && sieve.least < search.best) searchSieve(sieve, search)
  }
}

/** Key `undefined`: presence is enough. */
type ByNameAndValue = ReadonlyMap<string, ReadonlyMap<string | undefined, Sieve>>

function byNameAndValue (group: ReadonlyArray<Keyed<MatcherOf<'header' | 'query-param'>>>): ByNameAndValue {
  const lists = new Map<string, Map<string | undefined, Candidate[]>>()
  for (const { candidate, by } of group) {
    let values = lists.get(by.key)
    if (values === undefined) lists.set(by.key, values = new Map())
    for (const value of new Set(by.values)) add(values, value, without(candidate, by))
  }
  return new Map([...lists].map(([name, values]) => [name, sievesOf(values)]))
}

/** Walks the request's fields, not the names that routes ask for: those may be thousands. */
function headerSearch (names: ByNameAndValue): Part['search'] {
  // Most fields are told by the length of their name, and need no lower-case copy.
  const lengths = new Set([...names.keys()].map(({ length }) => length))
  return (search) => {
    const raw = search.head.headers.raw()
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!
      if (!lengths.has(name.length)) continue
      const values = names.get(name) ?? names.get(name.toLowerCase())
      if (values === undefined) continue
      searchOnce(values.get(raw[i + 1]), search)
      searchOnce(values.get(undefined), search)
    }
  }
}

function paramSearch (names: ByNameAndValue): Part['search'] {
  return (search) => {
    if (search.head.query === '') return
    for (const [name, value] of paramsOf(search)) {
      const values = names.get(name)
      if (values === undefined) continue
      searchOnce(values.get(value), search)
      searchOnce(values.get(undefined), search)
    }
  }
}

/** Expressions are compiled into sets, each no larger than RE2 is likely to take; what it does not take is asked one by one. */
function patternParts (group: ReadonlyArray<Keyed<MatcherOf<'path-regex' | 'host-regex'>>>, textOf: (search: Search) => string): Part[] {
  const rows = group.flatMap(({ candidate, by }) => by.patterns.map((pattern) => ({ pattern, candidate, by })))
  const parts: Part[] = []
  let from = 0
  let weight = 0
  for (let i = 0; i <= rows.length; i++) {
    const more = i < rows.length ? weightOf(rows[i]!.pattern) : Infinity
    if (i > from && weight + more > mostWeight) {
      parts.push(...partsOfSet(rows.slice(from, i), textOf))
      from = i
      weight = 0
    }
    weight += more
  }
  return parts
}

interface PatternRow {
  readonly pattern: Pattern
  readonly candidate: Candidate
  readonly by: Matcher
}

/** Characters of expressions in one set. RE2 gives each automaton 8 MiB. */
const mostWeight = 100_000

/** Counted repetition is written out by the compiler. */
function weightOf ({ source }: Pattern): number {
  let weight = source.length
  for (const [, least = '', most = ''] of source.matchAll(/\{(\d+)(?:,(\d*))?\}/g)) weight += 8 * Math.max(Number(least), Number(most))
  return weight
}

function partsOfSet (rows: readonly PatternRow[], textOf: (search: Search) => string): Part[] {
  const least = rows[0]!.candidate.rank
  if (rows.length <= few) {
    const row = sieveOf([...new Set(rows.map(({ candidate }) => candidate))])
    return [{ least, search: (search) => searchSieve(row, search) }]
  }
  const set = compileSet(rows.map(({ pattern }) => pattern))
  if (set === undefined) {
    const half = rows.length >> 1
    return [...partsOfSet(rows.slice(0, half), textOf), ...partsOfSet(rows.slice(half), textOf)]
  }
  const found = rows.map(({ candidate, by }) => sieveOf([without(candidate, by)]))
  return [{
    least,
    search (search) {
      const indices = set.matching(textOf(search))
      // Rows are ascending by rank, indices too: the first that holds is the best of them.
      for (let i = 0; i < indices.length; i++) {
        const sieve = found[indices[i]!]!
        if (sieve.least >= search.best) return
        searchSieve(sieve, search)
      }
    },
  }]
}

function without (candidate: Candidate, check: Matcher): Candidate {
  return { rank: candidate.rank, checks: candidate.checks.filter((one) => one !== check) }
}

function sievesOf<K> (lists: ReadonlyMap<K, readonly Candidate[]>): Map<K, Sieve> {
  const sieves = new Map<K, Sieve>()
  for (const [key, candidates] of lists) sieves.set(key, sieveOf(candidates))
  return sieves
}

function add<K, V> (lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}
