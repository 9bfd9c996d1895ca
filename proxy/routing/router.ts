import type { RequestHead } from '../pipeline/exchange.ts'
import { compileMatches, specificity, subjectOf, type Matcher, type Matches } from './match.ts'

export interface RouterEntry<T> {
  readonly matches: Matches
  readonly priority: number
  readonly value: T
}

interface Candidate<T> {
  readonly matchers: readonly Matcher[]
  readonly value: T
}

/** One candidate, and the matcher that said no; `undefined` when all held. */
export interface Tried<T> {
  readonly value: T
  readonly failed: string | undefined
}

export interface Router<T> {
  match (head: RequestHead): T | undefined
  /** The same walk, telling of every candidate up to the one that matched. */
  explain (head: RequestHead): Array<Tried<T>>
}

/** Higher priority first, then the narrower route, then file order. Compiled once; matching only calls closures. */
export function compileRouter<T> (entries: ReadonlyArray<RouterEntry<T>>): Router<T> {
  const candidates: ReadonlyArray<Candidate<T>> = entries
    .map((entry) => ({ entry, weight: specificity(entry.matches) }))
    .sort((a, b) => b.entry.priority - a.entry.priority || b.weight - a.weight)
    .map(({ entry }) => ({ matchers: compileMatches(entry.matches), value: entry.value }))

  return {
    match (head) {
      const subject = subjectOf(head)
      for (const { matchers, value } of candidates) {
        if (matchers.every((matcher) => matcher.holds(subject))) return value
      }
      return undefined
    },
    explain (head) {
      const subject = subjectOf(head)
      const tried: Array<Tried<T>> = []
      for (const { matchers, value } of candidates) {
        const failed = matchers.find((matcher) => !matcher.holds(subject))?.name
        tried.push({ value, failed })
        if (failed === undefined) break
      }
      return tried
    },
  }
}
