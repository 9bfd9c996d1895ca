import { createHash, timingSafeEqual } from 'node:crypto'
import type { Exchange, Reply } from '../../pipeline/exchange.ts'
import { refusal } from '../../pipeline/fault-reply.ts'
import { Fault } from '../../pipeline/faults.ts'

export interface GuardSettings {
  /** What who asks has to show. */
  readonly token: string | undefined
  /** Listeners to which only processes of this machine can connect. */
  readonly localListeners: ReadonlySet<string>
  readonly isLocalAddress: (address: string) => boolean
  /** Whether a page of a stranger, opened in a browser of this machine, could not have this name (DNS rebinding). */
  readonly isHostAllowed: (host: string | undefined) => boolean
}

/** Gives the refusal for whoever may not see a page of the operator. */
export function guard ({ token, localListeners, isLocalAddress, isHostAllowed }: GuardSettings): (x: Exchange) => Reply | undefined {
  if (token !== undefined) return tokenGuard(token)
  return (x) => {
    const { headers } = x.request
    if (!localListeners.has(x.listener) || !isLocalAddress(x.clientIp)) return refusal(x, new Fault('OPERATORS_ONLY'))
    if (!isHostAllowed(headers.get('host') ?? (x.request.authority === '' ? undefined : x.request.authority))) return refusal(x, new Fault('OPERATORS_ONLY', 'the name it was asked by'))
    return undefined
  }
}

/** Digests are compared: they have one length, and say nothing about how much of a guess was right. */
function tokenGuard (token: string): (x: Exchange) => Reply | undefined {
  const wanted = digest(token)
  return (x) => {
    const shown = /^bearer +([^ ]+) *$/i.exec(x.request.headers.get('authorization') ?? '')?.[1]
    if (shown !== undefined && timingSafeEqual(digest(shown), wanted)) return undefined
    return refusal(x, new Fault('TOKEN_NEEDED', shown === undefined ? 'none was shown' : 'another one was shown'), ['WWW-Authenticate', 'Bearer realm="sentinel"'])
  }
}

function digest (text: string): Buffer {
  return createHash('sha256').update(text, 'latin1').digest()
}

/**
 * Whether a web page made a browser send this. It can have a browser of this machine send requests without being able to read the answers, which is
 * enough where asking changes something.
 */
export function isFromPage ({ request: { headers } }: Exchange): boolean {
  const site = headers.get('sec-fetch-site')
  return headers.has('origin') || site !== undefined && site !== 'none'
}
