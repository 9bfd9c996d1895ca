import type { RequestHead } from '../pipeline/exchange.ts'
import type { Matcher, Subject } from './match.ts'

/** A route at its place in the order of all routes. */
export interface Candidate {
  /** Place in the order: 0 is asked first. */
  readonly rank: number
  /** What the way to it has not shown to hold already. */
  readonly checks: readonly Matcher[]
}

/** One request on its way through the index: the best route so far. There is one for each router, used again and again. */
export interface Search extends Subject {
  /** Rank of the best route so far; Infinity before there is one. */
  best: number
  /** Counts requests, so that a list that several ways lead to is walked once. */
  turn: number
}

/** Candidates that one key of the index leads to: some in a row, others behind another key. */
export interface Sieve {
  /** Ascending by rank. */
  readonly row: readonly Candidate[]
  readonly parts: readonly Part[]
  /** Lowest rank of all of them: nobody looks inside for a worse one. */
  readonly least: number
  turn: number
}

export interface Part {
  readonly least: number
  readonly search: (search: Search) => void
}

// Only held while nothing is searched for, so that a router keeps no request alive.
const nobody = undefined as unknown as RequestHead

export function newSearch (): Search {
  return { head: nobody, host: '', params: undefined, best: Infinity, turn: 0 }
}

export function forget (search: Search): void {
  search.head = nobody
  search.params = undefined
}

export function searchSieve (sieve: Sieve, search: Search): void {
  const { row, parts } = sieve
  for (let i = 0; i < row.length; i++) {
    const candidate = row[i]!
    if (candidate.rank >= search.best) break
    if (holds(candidate.checks, search)) {
      search.best = candidate.rank
      break
    }
  }
  for (let i = 0; i < parts.length; i++) {
    if (parts[i]!.least < search.best) parts[i]!.search(search)
  }
}

/** For a sieve that a request may lead to more than once: a header field repeated a thousand times is looked at once. */
export function searchOnce (sieve: Sieve | undefined, search: Search): void {
  if (sieve === undefined || sieve.least >= search.best || sieve.turn === search.turn) return
  sieve.turn = search.turn
  searchSieve(sieve, search)
}

export function holds (checks: readonly Matcher[], subject: Subject): boolean {
  for (let i = 0; i < checks.length; i++) {
    if (!checks[i]!.holds(subject)) return false
  }
  return true
}
