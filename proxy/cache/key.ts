import type { Exchange } from '../pipeline/exchange.ts'
import { canonicalName, type HeaderList } from '../pipeline/headers.ts'
import { readPath } from '../pipeline/path.ts'
import type { RouteCacheSettings } from './settings.ts'
import type { Address, ValueOf } from './stored.ts'

/** What stands between the parts of a key; in none of them, because no field value and no request target may hold it. */
const between = '\0'

export interface KeyReader {
  /** Query as it goes to the upstream, without parameters that make no other answer: what is not part of the key must not be able to change what is kept. */
  query (query: string): string
  /** All that is known of an answer before it is there. The path is the one that is sent: paths that the upstream reads in two ways have two keys. */
  base (x: Exchange, method: string, query: string): string
}

export function keyReader (settings: RouteCacheSettings, upstream: string): KeyReader {
  const query = queryReader(settings)
  const { varyHeaders, guardedHeaders, route } = settings
  const named = new Set(varyHeaders)
  return {
    query,
    base ({ request, edited }, method, queryText) {
      const { headers } = request
      let key = `${route}${between}${upstream}${between}${method}${between}${request.scheme}${between}${(headers.get('host') ?? request.authority).toLowerCase()}` +
        `${between}${request.upstreamPath}${between}${queryText}`
      for (const name of varyHeaders) key += between + normalised(headers, name)
      const guarded = guardedHeaders()
      if (guarded.size === 0 && edited === undefined) return key
      // What an agent says of a client makes another answer, whether the upstream says so or not.
      for (const [name, value] of headers) {
        const lower = name.toLowerCase()
        if (!named.has(lower) && (guarded.has(canonicalName(name)) || edited?.has(lower) === true)) key += `${between}${lower}:${value}`
      }
      return key
    },
  }
}

function queryReader ({ varyQueryParams, ignoreQueryParams }: RouteCacheSettings): (query: string) => string {
  if (varyQueryParams.length === 0 && ignoreQueryParams.length === 0) return (query) => query
  const varying = new Set(varyQueryParams)
  const ignored = new Set(ignoreQueryParams)
  const counts = (parameter: string): boolean => {
    const name = decoded(parameter.split('=', 1)[0]!)
    return varying.size > 0 ? varying.has(name) : !ignored.has(name)
  }
  // Some applications also part parameters at ";": one that hides behind another is part of that one, and of the key with it.
  return (query) => query === '' ? '' : query.split('&').filter(counts).join('&')
}

function decoded (name: string): string {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

/** The address as the client named it. Purges name answers so, whatever a route makes of the path. */
export function addressOf ({ request }: Exchange, query: string): Address {
  return { host: request.authority, path: readPath(request.rawPath).path, query }
}

/** Whether an answer may be kept also hangs on whether somebody said who it is: a client that does cannot decide it for those who do not. */
export function notKeptKey (base: string, headers: HeaderList): string {
  return `${base}${between}${headers.has('cookie') ? 'c' : ''}${headers.has('authorization') ? 'a' : ''}`
}

/** Of private answers, the client itself where it says nothing of who it is. */
export const clientItself = ':client'

/** What this request says in a field that selects; the same for lines that say the same (RFC 9111 section 4.1). */
export function valuesOf (x: Exchange): ValueOf {
  return (name) => name === clientItself ? x.clientIp : normalised(x.request.headers, name)
}

function normalised (headers: HeaderList, name: string): string {
  const lines = headers.getAll(name)
  if (lines.length === 0) return between
  return lines.length === 1 ? lines[0]! : lines.join(', ')
}
