import type { Position } from '../../../config/sentinel/index.ts'

/** What looking at something outside of the configuration showed. */
export interface Finding {
  readonly probe: 'network' | 'certs' | 'agents'
  readonly level: 'ok' | 'warning' | 'error'
  /** Where the configuration names it. */
  readonly at: Position | undefined
  /** What was looked at: "target \"127.0.0.1:80\" of upstream 'app'". */
  readonly what: string
  readonly message: string
  /** What to do. */
  readonly hint?: string
}

/** How long one look may take. */
export const probeMs = 5_000

/** How many are on their way at a time. */
const atOnce = 16

/** Runs all, a bounded number at a time; the results in the order of the items. */
export async function probeAll<T> (items: readonly T[], probe: (item: T) => Promise<Finding | readonly Finding[]>): Promise<Finding[]> {
  const results: Array<Finding | readonly Finding[]> = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await probe(items[at]!)
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, work))
  return results.flat()
}

/** Why the system says no, in words that hold nothing of the configuration. */
export function reasonOf (code: string): { readonly message: string, readonly hint?: string } {
  return reasons[code] ?? { message: `it cannot be reached (${code})` }
}

const reasons: Readonly<Record<string, { readonly message: string, readonly hint?: string }>> = {
  ENOTFOUND: { message: 'the name does not resolve', hint: 'look for a slip in the name, or ask the resolver of this machine' },
  EAI_AGAIN: { message: 'the name does not resolve: no name server answers', hint: 'look at the resolver of this machine' },
  ECONNREFUSED: { message: 'nobody listens there', hint: 'start it, or correct the address' },
  ECONNRESET: { message: 'the connection was closed at once', hint: 'it may speak something else on this port' },
  EHOSTUNREACH: { message: 'there is no way to this host', hint: 'look at routes and firewalls' },
  ENETUNREACH: { message: 'there is no way to this network', hint: 'look at routes and firewalls' },
  ENOENT: { message: 'there is no such socket', hint: 'start the agent, or correct the path' },
  EACCES: { message: 'this user may not connect to it', hint: 'look at the owner and the mode of the socket' },
  ENOTSOCK: { message: 'it is a file, not a socket', hint: 'correct the path' },
  TIMEOUT: { message: `no answer within ${probeMs / 1000} s`, hint: 'a firewall may drop what is sent there' },
}
