import { longestPurge, type Purge } from '../pipeline/kept-answers.ts'
import { readPath } from '../pipeline/path.ts'
import type { Meant } from './store.ts'

export interface Meaning {
  readonly isMeant: Meant
  /** The one path that all of them have, where that is known. */
  readonly path?: string
}

/** What a purge means; `undefined` when it means nothing. */
export function meaningOf ({ by, value, host }: Purge): Meaning | undefined {
  if (value.length > longestPurge) return undefined
  const here: Meant = (address) => host === undefined || address.host === host.toLowerCase()
  if (by === 'all') return { isMeant: here }
  if (by === 'tag') return value === '' ? undefined : { isMeant: (address, tags) => tags.includes(value) && here(address, tags) }
  if (!value.startsWith('/')) return undefined
  if (by === 'prefix') return { isMeant: (address, tags) => whole(address).startsWith(value) && here(address, tags) }
  if (by === 'glob') return globMeaning(value, here)
  const cut = value.indexOf('?')
  const { path } = readPath(cut === -1 ? value : value.slice(0, cut))
  const query = cut === -1 ? undefined : value.slice(cut + 1)
  return { path, isMeant: (address, tags) => address.path === path && (query === undefined || address.query === query) && here(address, tags) }
}

function globMeaning (pattern: string, here: Meant): Meaning {
  const matches = globMatcher(pattern)
  // "?" stands for a character in a glob of paths and for itself in an address: only a pattern with one looks at queries, too.
  const ofQuery = pattern.includes('?')
  return { isMeant: (address, tags) => (matches(address.path) || ofQuery && matches(whole(address))) && here(address, tags) }
}

function whole ({ path, query }: { readonly path: string, readonly query: string }): string {
  return query === '' ? path : `${path}?${query}`
}

/** `*` = any part of a segment, `**` = any number of segments, `?` = one character. Linear in the length of both for each star; patterns are the operator's. */
export function globMatcher (pattern: string): (text: string) => boolean {
  const parts = pattern.match(/\/\*\*$|\*\*\/?|[*?]|[^*?]/gs) ?? []
  return (text) => {
    // Positions in the text at which the parts read so far may end: no backtracking.
    let ends = new Set([0])
    for (const part of parts) ends = step(part, text, ends)
    return ends.has(text.length)
  }
}

function step (part: string, text: string, starts: ReadonlySet<number>): Set<number> {
  const ends = new Set<number>()
  for (const start of starts) {
    if (part.length > 1) {
      // "/**" at the end also stands for nothing, "**/" for no segment.
      ends.add(start)
      if (part === '/**' && text[start] !== '/') continue
      for (let end = start + 1; end <= text.length; end++) if (part !== '**/' || text[end - 1] === '/') ends.add(end)
    } else if (part === '*') {
      ends.add(start)
      for (let end = start; end < text.length && text[end] !== '/'; end++) ends.add(end + 1)
    } else if (start < text.length && (text[start] === part || part === '?' && text[start] !== '/')) {
      ends.add(start + 1)
    }
  }
  return ends
}
