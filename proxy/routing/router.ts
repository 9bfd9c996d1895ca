import type { RequestHead } from '../pipeline/exchange.ts'
import { findingOf, type Finding } from './finding.ts'
import { compileMatches, hostName, specificity, subjectOf, type Matcher, type Matches } from './match.ts'
import { folderOf, searchTree, treeBuilder, type PathTree, type TreeBuilder } from './path-tree.ts'
import { forget, newSearch, type Candidate, type Search } from './search.ts'

export interface RouterEntry<T> {
  readonly matches: Matches
  readonly priority: number
  readonly value: T
}

/** One route that was looked at, and the first condition that did not hold; `undefined` when all held. */
export interface Tried<T> {
  readonly value: T
  readonly failed: Finding | undefined
}

export interface Router<T> {
  match (head: RequestHead): T | undefined
  /** Every route in order, up to the one that `match` finds: each condition is asked, the index is not. */
  explain (head: RequestHead): Array<Tried<T>>
}

/** The order in which routes are asked: higher priority first, then the narrower one, then file order. */
export function inMatchingOrder<T> (entries: ReadonlyArray<RouterEntry<T>>): Array<RouterEntry<T>> {
  return entries
    .map((entry) => ({ entry, weight: specificity(entry.matches) }))
    .sort((a, b) => b.entry.priority - a.entry.priority || b.weight - a.weight)
    .map(({ entry }) => entry)
}

/**
 * Finds what asking the routes in their order would find, without asking those that cannot hold: by host, then by the segments of the
 * path, then by what else tells many of them apart. What matching costs does not depend on the number of routes.
 */
export function compileRouter<T> (entries: ReadonlyArray<RouterEntry<T>>): Router<T> {
  const ordered = inMatchingOrder(entries)
  const matchers = ordered.map(({ matches }) => compileMatches(matches))
  const hosts = indexOf(matchers)
  const search = newSearch()
  return {
    match (head) {
      search.head = head
      search.host = hostName(head.authority)
      search.best = Infinity
      search.turn++
      searchHosts(hosts, search)
      forget(search)
      return search.best === Infinity ? undefined : ordered[search.best]!.value
    },
    explain (head) {
      const subject = subjectOf(head)
      const tried: Array<Tried<T>> = []
      for (const [rank, { value }] of ordered.entries()) {
        const failed = matchers[rank]!.find((matcher) => !matcher.holds(subject))
        tried.push({ value, failed: failed === undefined ? undefined : findingOf(failed, subject) })
        if (failed === undefined) break
      }
      return tried
    },
  }
}

interface HostIndex {
  readonly exact: ReadonlyMap<string, PathTree>
  readonly longestExact: number
  /** By ".b" of "*.b". */
  readonly below: ReadonlyMap<string, PathTree>
  /** Lengths of these suffixes, ascending: only there a host is cut. */
  readonly suffixLengths: readonly number[]
  readonly any: PathTree | undefined
}

function searchHosts ({ exact, longestExact, below, suffixLengths, any }: HostIndex, search: Search): void {
  const { host } = search
  // A host of thousands of characters is in no table, and not worth hashing.
  const own = exact.size > 0 && host.length <= longestExact ? exact.get(host) : undefined
  if (own !== undefined) searchTree(own, search)
  for (let i = 0; i < suffixLengths.length; i++) {
    const at = host.length - suffixLengths[i]!
    if (at <= 0) break
    if (host.charCodeAt(at) !== 0x2e) continue
    const tree = below.get(host.slice(at))
    if (tree !== undefined) searchTree(tree, search)
  }
  if (any !== undefined) searchTree(any, search)
}

function indexOf (ranked: ReadonlyArray<readonly Matcher[]>): HostIndex {
  const exact = new Map<string, TreeBuilder>()
  const below = new Map<string, TreeBuilder>()
  const any = new Map<string, TreeBuilder>()
  for (const [rank, checks] of ranked.entries()) {
    const host = checks.find((check) => check.kind === 'host')
    // "*" and whatever else does not begin with a dot stays a condition to be asked.
    if (host?.kind !== 'host' || host.suffixes.some((suffix) => !suffix.startsWith('.'))) {
      grow(any, '', { rank, checks })
      continue
    }
    const candidate = { rank, checks: checks.filter((check) => check !== host) }
    for (const name of new Set(host.exact)) grow(exact, name, candidate)
    for (const suffix of new Set(host.suffixes)) grow(below, suffix, candidate)
  }
  const suffixLengths = [...new Set([...below.keys()].map(({ length }) => length))].sort((a, b) => a - b)
  const longestExact = [...exact.keys()].reduce((longest, { length }) => Math.max(longest, length), 0)
  return { exact: built(exact), longestExact, below: built(below), suffixLengths, any: built(any).get('') }
}

function built (builders: ReadonlyMap<string, TreeBuilder>): Map<string, PathTree> {
  const trees = new Map<string, PathTree>()
  for (const [key, builder] of builders) trees.set(key, builder.build())
  return trees
}

/** Puts a candidate into the tree of a host, at the narrowest thing it says about the path. */
function grow (builders: Map<string, TreeBuilder>, key: string, candidate: Candidate): void {
  let builder = builders.get(key)
  if (builder === undefined) builders.set(key, builder = treeBuilder())
  const { rank, checks } = candidate
  for (const check of checks) {
    if (check.kind !== 'path' && check.kind !== 'path-prefix') continue
    const end = check.kind === 'path' ? 'exact' : 'below'
    if (!check.values.every((path) => path.startsWith('/') || (path === '' && end === 'below'))) continue
    const rest = { rank, checks: checks.filter((one) => one !== check) }
    for (const path of check.values) builder.add(path, end, rest)
    return
  }
  const folders = checks.find((check) => check.kind === 'path-regex')?.patterns.map(folderOf)
  if (folders === undefined || folders.includes(undefined)) return builder.addAny(candidate)
  for (const folder of folders) builder.add(folder!, 'below', candidate) // None is undefined: see above.
}
