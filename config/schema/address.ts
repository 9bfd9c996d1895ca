import { isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import type { WrittenText } from './default-type.ts'
import type { Fit, Mismatch, ValueType } from './value.ts'
import { unfit } from './value.ts'

/** Where to listen or connect. `host` has no brackets; `text` is what was written. */
export interface Address {
  readonly host: string
  readonly port: number
  readonly text: string
  /** A Unix socket: host and port are empty then. */
  readonly path?: string
}

/** A network: `host` bits are zero. */
export interface IpRange {
  /** As it was written. */
  readonly text: string
  /** Of IP. */
  readonly version: 4 | 6
  /** Of the address, 4 or 16. */
  readonly bytes: readonly number[]
  /** How many bits are the network's. */
  readonly prefix: number
}

export const address: ValueType<Address> = {
  name: 'host:port',
  expected: 'host:port',
  example: '"127.0.0.1:8080", "[::1]:8080", "backend:80"',
  json: { type: 'string', pattern: '^.+:\\d{1,5}$' },
  parse: raw => typeof raw === 'string' ? parseAddress(raw) : unfit,
}

/** As `address`, but the host must be an IP: one can listen on nothing else. Port 0 lets the system choose. */
export const listenAddress: ValueType<Address> = {
  ...address,
  expected: 'IP:port',
  example: '"127.0.0.1:8080", "0.0.0.0:443", "[::]:80"',
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    const found = parseAddress(raw.replace(/^(?:\*)?:(?=\d+$)/, '0.0.0.0:'), 0)
    if ('wrong' in found) return found
    if (found.value.host === 'localhost') return { value: { ...found.value, host: '127.0.0.1', text: raw } }
    return ipaddr.isValid(found.value.host) ? { value: { ...found.value, text: raw } } : { wrong: 'the host is not an IP address' }
  },
}

/** `sockaddr_un` has room for 107 bytes and the end of the string. */
const maxSocketPathBytes = 107

/** `unix:/path`; `undefined` when it is something else. */
function parseUnixSocket (raw: unknown): Fit<Address> | Mismatch | undefined {
  if (typeof raw !== 'string' || !raw.startsWith('unix:')) return undefined
  const path = raw.slice('unix:'.length).replace(/^\/\/(?=\/)/, '')
  if (!path.startsWith('/')) return { wrong: 'the path of a Unix socket must begin with "/"' }
  if (/[\p{Cc}]/u.test(path) || path.endsWith('/')) return { wrong: 'that is not the path of a socket' }
  if (Buffer.byteLength(path) > maxSocketPathBytes) return { wrong: `the path of a Unix socket has at most ${maxSocketPathBytes} bytes` }
  return { value: { host: '', port: 0, text: raw, path } }
}

function orUnixSocket (type: ValueType<Address>): ValueType<Address> {
  return {
    ...type,
    expected: `${type.expected} or unix:/path`,
    example: `${type.example}, "unix:/run/app.sock"`,
    json: { type: 'string', pattern: '^(?:.+:\\d{1,5}|unix:/.+)$' },
    parse: (raw, context) => parseUnixSocket(raw) ?? type.parse(raw, context),
  }
}

/** Where clients come in: an IP and port, or a Unix socket. */
export const listenerAddress = orUnixSocket(listenAddress)

/** Where a target is: host and port, or a Unix socket. */
export const targetAddress = orUnixSocket(address)

/** As `address`, with a scheme in front that some write: `http://host:port`. */
export const addressOrUrl: ValueType<Address> = {
  ...address,
  example: '"127.0.0.1:50051", "http://agent:50051"',
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    return parseAddress(raw.replace(/^(?:https?|grpc):\/\//, '').replace(/\/$/, ''))
  },
}

export function parseAddress (written: string, leastPort = 1): Fit<Address> | Mismatch {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]\s/]+)):(\d{1,5})$/.exec(written) ?? []
  if (digits === undefined) return addressMistake(written)
  const host = bracketed ?? plain ?? ''
  const port = Number(digits)
  if (port > 65535 || port < leastPort) return { wrong: `the port must be from ${leastPort} to 65535` }
  if (bracketed !== undefined && !isIPv6(bracketed)) return { wrong: 'there is no IPv6 address in the brackets' }
  if (/^[\d.]+$/.test(host) && !ipaddr.IPv4.isValidFourPartDecimal(host)) return { wrong: 'the IPv4 address is not complete' }
  if (bracketed === undefined && !isHostName(host)) return { wrong: 'the host name has characters that no host name has' }
  return { value: { host, port, text: written } }
}

function addressMistake (written: string): Mismatch {
  if (/^[a-z]+:\/\//i.test(written)) return { wrong: 'it is a URL', hint: 'leave out the scheme and the path' }
  if (ipaddr.IPv6.isValid(written.replace(/:\d+$/, '')) && !written.startsWith('[')) return { wrong: '', hint: 'an IPv6 address needs brackets: "[::1]:8080"' }
  return /:/.test(written) ? unfit : { wrong: 'the port is missing' }
}

/** RFC 1123 names, and "_" which container networks use. */
export function isHostName (host: string): boolean {
  return host.length <= 253 && /^[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_-]{1,63})*\.?$/.test(host)
}

/** The address of whoever is on the other side of a Unix socket. */
export const unixPeer = 'unix:'

/** Senders: an IP address or range, or everybody who comes in through a Unix socket. */
export type PeerRange = IpRange | { readonly text: typeof unixPeer, readonly version: 'unix' }

export const peerRange: ValueType<PeerRange> = {
  name: 'IP, CIDR or "unix:"',
  expected: 'an IP address, a range in CIDR form, or "unix:"',
  example: '"10.0.0.0/8", "2001:db8::/32", "unix:"',
  json: { type: 'string' },
  parse (raw) {
    if (raw === unixPeer || raw === 'unix') return { value: { text: unixPeer, version: 'unix' } }
    return typeof raw === 'string' ? parseIpRange(raw) : unfit
  },
}

/** As `ipMatcher`, for senders. */
export function peerMatcher (ranges: readonly PeerRange[]): (peer: string) => boolean {
  if (ranges.length === 0) return () => false
  const unix = ranges.some(({ version }) => version === 'unix')
  const ips = ipMatcher(ranges.filter((range) => range.version !== 'unix'))
  return unix ? peer => peer === unixPeer || ips(peer) : ips
}

/** An address or a network in CIDR notation: "192.0.2.7", "10.0.0.0/8", "2001:db8::/32". */
export const ipRange: ValueType<IpRange, WrittenText> = {
  name: 'IP or CIDR',
  expected: 'an IP address or a range in CIDR form',
  example: '"10.0.0.0/8", "192.0.2.7", "2001:db8::/32"',
  json: { type: 'string' },
  parse: raw => typeof raw === 'string' ? parseIpRange(raw) : unfit,
}

/** The same from a text that is no setting; what is wrong with it otherwise. */
export function parseIpRange (written: string): Fit<IpRange> | Mismatch {
  const [, host = '', digits] = /^([^/\s]+)(?:\/(\d{1,3}))?$/.exec(written) ?? []
  if (!isPlainIp(host)) return unfit
  // 10.0.0.1 and ::ffff:10.0.0.1 are one machine; the range counts from the IPv4 bits then.
  const parsed = ipaddr.process(host)
  const mapped = parsed.kind() === 'ipv4' && host.includes(':')
  const bytes = parsed.toByteArray()
  const bits = bytes.length * 8
  const prefix = digits === undefined ? bits : Number(digits) - (mapped ? 96 : 0)
  if (prefix > bits || prefix < 0) return { wrong: `the prefix must be from 0 to ${bits}` }
  const network = bytes.map((byte, index) => byte & maskByte(prefix, index))
  return { value: { text: written, version: bits === 32 ? 4 : 6, bytes: network, prefix } }
}

function isPlainIp (host: string): boolean {
  return host.includes(':') ? isIPv6(host) && !host.includes('%') : ipaddr.IPv4.isValidFourPartDecimal(host)
}

function maskByte (prefix: number, index: number): number {
  const bits = Math.max(0, Math.min(8, prefix - index * 8))
  return (0xff << (8 - bits)) & 0xff
}

/**
 * Tells whether an address is in one of the ranges. Cost does not grow with the number of ranges, only with the number of different prefix
 * lengths. An address that cannot be read is in none. IPv4-mapped IPv6 addresses count as IPv4.
 */
export function ipMatcher (ranges: readonly IpRange[]): (ip: string) => boolean {
  const found = ipFinder(ranges.map(range => [range, true] as const))
  return ip => found(ip) === true
}

/** As `ipMatcher`, and gives what belongs to the narrowest range that the address is in. */
export function ipFinder<T> (entries: readonly (readonly [IpRange, T])[]): (ip: string) => T | undefined {
  const tables = { 4: prefixTables(entries, 4), 6: prefixTables(entries, 6) }
  if (tables[4].length === 0 && tables[6].length === 0) return () => undefined
  return ip => {
    const bytes = ipBytes(ip)
    if (bytes === undefined) return undefined
    for (const { prefix, networks } of tables[bytes.length === 4 ? 4 : 6]) {
      const found = networks.get(networkKey(bytes, prefix))
      if (found !== undefined) return found.value
    }
    return undefined
  }
}

interface PrefixTable<T> {
  readonly prefix: number
  readonly networks: Map<string, { readonly value: T }>
}

function prefixTables<T> (entries: readonly (readonly [IpRange, T])[], version: 4 | 6): PrefixTable<T>[] {
  const byPrefix = new Map<number, Map<string, { readonly value: T }>>()
  for (const [range, value] of entries) {
    if (range.version !== version) continue
    let networks = byPrefix.get(range.prefix)
    if (networks === undefined) byPrefix.set(range.prefix, networks = new Map())
    const key = networkKey(range.bytes, range.prefix)
    if (!networks.has(key)) networks.set(key, { value })
  }
  return [...byPrefix].map(([prefix, networks]) => ({ prefix, networks })).sort((a, b) => b.prefix - a.prefix)
}

function networkKey (bytes: readonly number[], prefix: number): string {
  let key = ''
  const whole = prefix >> 3
  for (let index = 0; index < whole; index++) key += String.fromCharCode(bytes[index] ?? 0)
  const rest = prefix & 7
  return rest === 0 ? key : key + String.fromCharCode((bytes[whole] ?? 0) & (0xff << (8 - rest)) & 0xff)
}

/** The 4 or 16 bytes of an address; `undefined` when it is none. A zone ("%eth0") is cut off. */
export function ipBytes (ip: string): number[] | undefined {
  if (!ip.includes(':')) return ipv4Bytes(ip)
  const plain = ip.replace(/%.*$/, '')
  if (!isIPv6(plain)) return undefined
  return ipaddr.process(plain).toByteArray()
}

function ipv4Bytes (ip: string): number[] | undefined {
  const parts = ip.split('.')
  if (parts.length !== 4) return undefined
  const bytes: number[] = []
  for (const part of parts) {
    // No leading zeros: some read them as octal.
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part)) return undefined
    const value = Number(part)
    if (value > 255) return undefined
    bytes.push(value)
  }
  return bytes
}
