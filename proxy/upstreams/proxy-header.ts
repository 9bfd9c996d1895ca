import { isIPv4, isIPv6 } from 'node:net'
import type { Exchange } from '../pipeline/exchange.ts'

export type ProxyProtocolVersion = 'v1' | 'v2'

const v2Start = '\r\n\r\n\0\r\nQUIT\n'

/**
 * What a connection to a target begins with (proxy-protocol.txt, 2.1 and 2.2), in latin1: a character for each octet. It names the client
 * as `trusted-proxies` made it out, and the address where it came in. Two exchanges may share a connection only when these are equal.
 */
export function proxyHeader (version: ProxyProtocolVersion, { clientIp, clientPort, peer }: Pick<Exchange, 'clientIp' | 'clientPort' | 'peer'>): string {
  const { localAddress = '', localPort = 0 } = peer
  const client = clientIp.replace(/%.*$/, '')
  const known = isAddress(client) && isAddress(localAddress)
  if (version === 'v1') return known ? textHeader(client, clientPort, localAddress, localPort) : 'PROXY UNKNOWN\r\n'
  return known ? binaryHeader(client, clientPort, localAddress, localPort) : `${v2Start}\x21\0\0\0`
}

function isAddress (text: string): boolean {
  return isIPv4(text) || isIPv6(text)
}

function textHeader (client: string, port: number, local: string, localPort: number): string {
  if (isIPv4(client) && isIPv4(local)) return `PROXY TCP4 ${client} ${local} ${port} ${localPort}\r\n`
  return `PROXY TCP6 ${inV6(client)} ${inV6(local)} ${port} ${localPort}\r\n`
}

/** Both are of one family there. */
function inV6 (address: string): string {
  return isIPv4(address) ? `::ffff:${address}` : address
}

function binaryHeader (client: string, port: number, local: string, localPort: number): string {
  const v4 = isIPv4(client) && isIPv4(local)
  const size = v4 ? 4 : 16
  const rest = Buffer.alloc(2 * size + 4)
  write(rest, 0, v4 ? client : inV6(client))
  write(rest, size, v4 ? local : inV6(local))
  rest.writeUInt16BE(port, 2 * size)
  rest.writeUInt16BE(localPort, 2 * size + 2)
  return `${v2Start}\x21${v4 ? '\x11' : '\x21'}\0${String.fromCharCode(rest.length)}${rest.toString('latin1')}`
}

function write (into: Buffer, at: number, address: string): void {
  if (isIPv4(address)) address.split('.').forEach((part, i) => { into[at + i] = Number(part) })
  else groupsOf(address).forEach((group, i) => into.writeUInt16BE(group, at + 2 * i))
}

/** The eight groups of an IPv6 address, whose last two may be written as IPv4. */
function groupsOf (address: string): number[] {
  const plain = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, a: string, b: string, c: string, d: string) =>
    `${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`)
  const [before = '', after] = plain.split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length
  return [...head, ...Array.from({ length: zeros }, () => '0'), ...tail].map((group) => Number.parseInt(group, 16))
}
