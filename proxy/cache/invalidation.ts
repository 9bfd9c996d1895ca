import type { Exchange } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Purge } from '../pipeline/kept-answers.ts'
import { longestPurge } from '../pipeline/kept-answers.ts'
import { readPath } from '../pipeline/path.ts'

/** Methods that change nothing (RFC 9110 section 9.2.1, and the registry); what nobody knows may change everything. */
const safe = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'])

export function isSafe (method: string): boolean {
  return safe.has(method)
}

/**
 * What a change makes out of date: its own address, and those that the answer names on the same host (RFC 9111 section 4.4). Another host's answers
 * cannot be put out from here.
 */
export function invalidated ({ request }: Exchange, answer: HeaderList): Purge[] {
  const host = request.authority
  const own = readPath(request.rawPath).path
  const named = ['location', 'content-location'].flatMap((name) => {
    const value = answer.get(name)
    return value === undefined ? [] : [pathOf(value, `${request.scheme}://${host}${own}`, host)]
  })
  const paths = new Set([own, ...named.filter((path) => path !== undefined && path.length <= longestPurge)])
  return [...paths].map((value) => ({ by: 'url', value: value!, host }))
}

function pathOf (reference: string, base: string, host: string): string | undefined {
  try {
    const url = new URL(reference, base)
    return url.host === new URL(`${url.protocol}//${host}`).host ? url.pathname : undefined
  } catch {
    return undefined
  }
}
