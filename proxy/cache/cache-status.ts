import type { Exchange, Reply } from '../pipeline/exchange.ts'

/** What became of a request at this cache. */
export interface Outcome {
  /** As the log and the metrics call it. */
  readonly as: 'hit' | 'stale' | 'revalidated' | 'miss' | 'bypass'
  /** Why it went on to the upstream (RFC 9211 section 2.2). */
  readonly fwd?: 'bypass' | 'method' | 'uri-miss' | 'vary-miss' | 'stale' | 'request'
  readonly fwdStatus?: number
  readonly ttlMs?: number
  readonly stored?: boolean
  readonly collapsed?: boolean
  readonly detail?: string
}

/** Writes it down where it is wanted. */
export function tell (x: Exchange, reply: Reply, name: string | undefined, outcome: Outcome): Reply {
  x.cache = outcome.as
  if (name !== undefined) reply.headers.append('Cache-Status', cacheStatus(name, outcome))
  return reply
}

function cacheStatus (name: string, { as, fwd, fwdStatus, ttlMs, stored, collapsed, detail }: Outcome): string {
  let text = name
  if (fwd === undefined || as === 'stale' || as === 'hit') text += '; hit'
  else text += `; fwd=${fwd}`
  if (fwdStatus !== undefined) text += `; fwd-status=${fwdStatus}`
  if (stored === true) text += '; stored'
  if (collapsed === true) text += '; collapsed'
  if (ttlMs !== undefined && Number.isFinite(ttlMs)) text += `; ttl=${Math.floor(ttlMs / 1000)}`
  return detail === undefined ? text : `${text}; detail=${detail}`
}
