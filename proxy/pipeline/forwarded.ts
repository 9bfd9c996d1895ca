import { isIP } from 'node:net'
import { unixPeer } from '../../config/schema/address.ts'
import { canonicalName, listItems, type HeaderList } from './headers.ts'
import type { Exchange } from './exchange.ts'

/** Fields that belong to one connection (RFC 9110 section 7.6.1), and those that would let a client speak for the proxy. */
const hopByHop: ReadonlySet<string> = new Set([
  'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te', 'trailer', 'transfer-encoding', 'upgrade',
  'http2-settings',
  // No field of HTTP: CGI turns it into HTTP_PROXY, where programs look for the proxy of their own requests (CVE-2016-5385).
  'proxy',
])

/** Framing is `Body.length`; the sender of a message writes it anew. */
const framing: ReadonlySet<string> = new Set(['content-length', 'transfer-encoding'])

/** Fields the proxy rebuilds: what a client says in them counts only behind a trusted proxy. */
const forwardedFields: ReadonlySet<string> = new Set([
  'forwarded', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-server', 'x-forwarded-prefix',
  'x-forwarded-ssl', 'x-forwarded-scheme', 'x-real-ip', 'x-request-id',
])

/** Drops what must not leave this hop: the fixed list, under every spelling, and whatever `Connection` names. */
export function dropHopByHop (headers: HeaderList): void {
  const named = connectionNames(headers)
  headers.removeIf((name) => {
    const canonical = canonicalName(name)
    return hopByHop.has(canonical) || framing.has(canonical) || (named?.has(name.toLowerCase()) ?? false)
  })
}

/** Whether `TE` lists trailers (RFC 9110 section 10.1.4). */
export function takesTrailers (headers: HeaderList): boolean {
  return headers.has('te') && listItems(headers.getAll('te').join(',')).includes('trailers')
}

/** Fields behind a body come from the client alone: what this hop takes out or writes itself in front of it may not follow there under any spelling. */
export function dropFromTrailers (trailers: HeaderList): void {
  trailers.removeIf((name) => {
    const canonical = canonicalName(name)
    return hopByHop.has(canonical) || framing.has(canonical) || forwardedFields.has(canonical) || canonical.startsWith('x-forwarded-')
  })
}

function connectionNames (headers: HeaderList): ReadonlySet<string> | undefined {
  const values = headers.getAll('connection')
  if (values.length === 0) return undefined
  const names = listItems(values.join(','))
  // "close" and "keep-alive" are options, not names; a client must not remove end-to-end fields that the proxy relies on.
  return new Set(names.filter((name) => name !== '' && name !== 'close' && name !== 'keep-alive' && name !== 'host' && !forwardedFields.has(name)))
}

/**
 * Finds the client behind trusted proxies and rebuilds `X-Forwarded-*`, `X-Real-IP`, `X-Request-Id` and `Forwarded`.
 *
 * The address is the rightmost one of `X-Forwarded-For` that no trusted proxy wrote. Aliases (`X_Forwarded_For`) are removed as well.
 */
export function rebuildForwarded (x: Exchange, isTrusted: (address: string) => boolean): void {
  const { headers, authority, scheme } = x.request
  const trusted = isTrusted(x.peer.address)
  const hops = trusted ? addressList(headers.getAll('x-forwarded-for')) : []
  const proto = trusted ? oneOf(headers.getAll('x-forwarded-proto'), ['http', 'https']) : undefined
  const host = trusted ? lastItem(headers.getAll('x-forwarded-host')) : undefined

  if (hops.length > 0) {
    let at = hops.length - 1
    while (at > 0 && isTrusted(hops[at]!)) at--
    x.clientIp = hops[at]!
    x.clientPort = 0
  }

  headers.removeIf((name) => {
    const canonical = canonicalName(name)
    // Others of the family (`X-Forwarded-User`, `X-Forwarded-Client-Cert`) say who the client is: only a trusted proxy may.
    return forwardedFields.has(canonical) || (!trusted && canonical.startsWith('x-forwarded-'))
  })
  // Whoever comes in through a Unix socket has no address to tell.
  const known = x.peer.address !== '' && x.peer.address !== unixPeer
  if (known) headers.append('X-Forwarded-For', hops.length === 0 ? x.peer.address : `${hops.join(', ')}, ${x.peer.address}`)
  else if (hops.length > 0) headers.append('X-Forwarded-For', hops.join(', '))
  headers.append('X-Forwarded-Proto', proto ?? scheme)
  if (host !== undefined || authority !== '') headers.append('X-Forwarded-Host', host ?? authority)
  if (known || hops.length > 0) headers.append('X-Real-IP', x.clientIp)
  headers.append('X-Request-Id', x.id)
}

/** Addresses from `X-Forwarded-For`, left to right; anything that is not one ends the trust to its left. */
function addressList (values: readonly string[]): string[] {
  const addresses: string[] = []
  for (const item of values.join(',').split(',').reverse()) {
    const address = item.trim().replace(/^\[([^\]]*)\](?::\d+)?$/, '$1').replace(/^(\d+\.\d+\.\d+\.\d+):\d+$/, '$1')
    // A zone (fe80::1%eth0) means something on the machine that wrote it only.
    if (isIP(address) === 0 || address.includes('%')) break
    addresses.unshift(address)
  }
  return addresses
}

function oneOf (values: readonly string[], allowed: readonly string[]): string | undefined {
  const value = lastItem(values)?.toLowerCase()
  return value !== undefined && allowed.includes(value) ? value : undefined
}

/** The value the nearest proxy wrote. */
function lastItem (values: readonly string[]): string | undefined {
  const last = values.at(-1)?.split(',').at(-1)?.trim()
  return last === undefined || last === '' || !/^[\w.\-:[\]]+$/.test(last) ? undefined : last
}
