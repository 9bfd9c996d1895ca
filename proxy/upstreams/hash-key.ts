import { clientKey } from '../pipeline/client-key.ts'
import { cookieOf } from '../pipeline/cookies.ts'
import type { Exchange } from '../pipeline/exchange.ts'

/**
 * What hashes are taken of: `client-ip`, `path`, or `header:`, `cookie:` or `query:` with a name. A request that has no such thing is known by its client's address, so
 * that they do not all go to one target.
 */
export function hashKeyReader (key: string): (x: Exchange) => string {
  const [kind, name = ''] = key.split(':')
  const read = readerOf(kind!, name)
  return read === undefined ? ({ clientIp }) => clientKey(clientIp) : (x) => read(x) ?? clientKey(x.clientIp)
}

function readerOf (kind: string, name: string): ((x: Exchange) => string | undefined) | undefined {
  const lower = name.toLowerCase()
  switch (kind) {
    case 'path': return ({ request }) => request.path
    case 'header': return ({ request }) => request.headers.get(lower)
    case 'cookie': return ({ request }) => cookieOf(request.headers, name)
    case 'query': return ({ request }) => new URLSearchParams(request.query).get(name) ?? undefined
    default: return undefined
  }
}
