import type { Pattern } from '../../config/sentinel/index.ts'
import type { Exchange, Filter } from '../pipeline/exchange.ts'
import { readPath } from '../pipeline/path.ts'

/** How the path that the upstream is asked for comes from the one that the client asked for. */
export interface PathChange {
  readonly replaceFullPath?: string | undefined
  /** What of the path is replaced by `substitution`. */
  readonly pathRegex?: Pattern | undefined
  readonly substitution?: string | undefined
  /** In place of whichever of `prefixes` the path begins with. */
  readonly replacePrefixMatch?: string | undefined
}

/** The new path; the same when nothing applies. `prefixes`: what the route's `path-prefix` names. */
export function changedPath (upstreamPath: string, change: PathChange, prefixes: readonly string[]): string {
  const { replaceFullPath, replacePrefixMatch, pathRegex, substitution = '' } = change
  if (replaceFullPath !== undefined) return replaceFullPath
  if (pathRegex !== undefined) {
    const path = pathRegex.replace(upstreamPath, substitution)
    return path.startsWith('/') ? path : `/${path}`
  }
  if (replacePrefixMatch === undefined) return upstreamPath
  const prefix = prefixes.filter((one) => beginsWith(upstreamPath, one)).sort((a, b) => b.length - a.length)[0]
  return prefix === undefined ? upstreamPath : joined(replacePrefixMatch, upstreamPath.slice(prefix.length))
}

/** Whole segments: `/api` begins `/api` and `/api/x`, not `/apix`. */
function beginsWith (path: string, prefix: string): boolean {
  if (!path.startsWith(prefix)) return false
  return path.length === prefix.length || prefix.endsWith('/') || path[prefix.length] === '/'
}

function joined (start: string, rest: string): string {
  const head = start.endsWith('/') ? start.slice(0, -1) : start
  const path = rest === '' || rest.startsWith('/') ? head + rest : `${head}/${rest}`
  return path === '' ? '/' : path
}

/** What is judged and what is sent stay one path, whatever a rewrite makes of it. */
export function setPath ({ request }: Exchange, path: string): void {
  Object.assign(request, readPath(path))
}

export interface RewriteSettings extends PathChange {
  readonly hostname?: string | undefined
  /** Of the route. */
  readonly prefixes: readonly string[]
}

/** Changes what the upstream is asked for. Log and answer still know what the client asked for (`rawPath`). */
export function urlRewriteFilter ({ hostname, prefixes, ...change }: RewriteSettings): Filter {
  return {
    name: 'url-rewrite',
    onRequest (x) {
      const { upstreamPath, headers } = x.request
      if (upstreamPath.startsWith('/')) {
        const path = changedPath(upstreamPath, change, prefixes)
        if (path !== upstreamPath) setPath(x, path)
      }
      if (hostname !== undefined) headers.set('Host', hostname)
      return undefined
    },
  }
}
