import type { Exchange } from '../../pipeline/exchange.ts'
import { longestPurge, type Purge } from '../../pipeline/kept-answers.ts'

const ways = ['url', 'prefix', 'glob', 'tag', 'all'] as const

/**
 * What a request wants purged: `?url=/path`, `?prefix=`, `?glob=`, `?tag=`, `?all`, each with `&host=` or without; else its own path, as a beginning or a
 * pattern where `X-Purge-Wildcard: true` says so. `undefined`: nobody can tell.
 */
export function purgeOf ({ request: { rawPath, query, headers } }: Exchange): Purge | undefined {
  const parameters = new URLSearchParams(query)
  const named = ways.filter((way) => parameters.has(way))
  const [by, another] = named
  const host = parameters.get('host')?.toLowerCase()
  const where = host === undefined ? {} : { host }
  if (another !== undefined) return undefined
  if (by !== undefined) return usable({ by, value: by === 'all' ? '' : parameters.get(by) ?? '', ...where })
  const own = query === '' ? rawPath : `${rawPath}?${query}`
  if (headers.get('x-purge-wildcard')?.toLowerCase() !== 'true') return usable({ by: 'url', value: own })
  return usable({ by: own.includes('*') ? 'glob' : 'prefix', value: own })
}

/** What the store would not understand is told, not answered with "nothing was there". */
function usable (purge: Purge): Purge | undefined {
  const { by, value } = purge
  if (value.length > longestPurge) return undefined
  return by === 'all' || (by === 'tag' ? value !== '' : value.startsWith('/')) ? purge : undefined
}
