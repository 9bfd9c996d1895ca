import { isIPv4, isIPv6 } from 'node:net'
import { crc32c } from './crc32c.ts'
import { plainAddress, unixEnds, type Ends } from './peer.ts'

/**
 * What a connection begins with, by the PROXY protocol of HAProxy (proxy-protocol.txt, 2.1 and 2.2).
 *
 * `ends` is missing where the sender speaks for itself (LOCAL) or does not know (UNKNOWN): the ends of the connection count then.
 */
export type ProxyHeader =
  | { readonly kind: 'header', readonly length: number, readonly ends: Ends | undefined }
  | { readonly kind: 'incomplete' }
  /** It begins with something else. */
  | { readonly kind: 'none' }
  | { readonly kind: 'bad', readonly detail: string }

const v1Start = Buffer.from('PROXY ', 'latin1')
const v1MaxBytes = 107

const v2Start = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const v2FixedBytes = 16
/** Addresses need 216 at the most; what is told beside them (TLVs) is bounded by us. */
const v2MaxBytes = 4096

const incomplete: ProxyHeader = { kind: 'incomplete' }

export function readProxyHeader (bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return incomplete
  if (beginsLike(bytes, v1Start)) return bytes.length < v1Start.length ? incomplete : readText(bytes)
  if (beginsLike(bytes, v2Start)) return bytes.length < v2FixedBytes ? early(bytes) : readBinary(bytes)
  return { kind: 'none' }
}

/** As far as both go. */
function beginsLike (bytes: Buffer, start: Buffer): boolean {
  const length = Math.min(bytes.length, start.length)
  return bytes.compare(start, 0, length, 0, length) === 0
}

function bad (detail: string): ProxyHeader {
  return { kind: 'bad', detail }
}

// Version 1: one line of text.

function readText (bytes: Buffer): ProxyHeader {
  const window = bytes.subarray(0, v1MaxBytes)
  const wrong = window.findIndex((byte) => byte < 0x20 || byte > 0x7e)
  if (wrong === -1) return window.length < v1MaxBytes ? incomplete : bad(`no end of line within ${v1MaxBytes} bytes`)
  if (window[wrong] !== 0x0d) return bad('a character that has no place in the line')
  if (wrong + 1 === window.length) return window.length < v1MaxBytes ? incomplete : bad(`no end of line within ${v1MaxBytes} bytes`)
  if (window[wrong + 1] !== 0x0a) return bad('a bare CR')
  const line = window.toString('latin1', v1Start.length, wrong)
  const ends = readLine(line)
  return typeof ends === 'string' ? bad(ends) : { kind: 'header', length: wrong + 2, ends }
}

function readLine (line: string): Ends | undefined | string {
  if (line === 'UNKNOWN' || line.startsWith('UNKNOWN ')) return undefined
  const words = line.split(' ')
  const [family, source = '', destination = '', sourcePort = '', destinationPort = ''] = words
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : undefined
  if (isAddress === undefined) return 'neither TCP4, TCP6 nor UNKNOWN'
  if (words.length !== 5) return `${words.length} words in place of 5`
  for (const address of [source, destination]) {
    if (!isAddress(address) || address.includes('%')) return `an address that is none of ${family}`
  }
  const port = readPort(sourcePort)
  const localPort = readPort(destinationPort)
  if (port === undefined || localPort === undefined) return 'a port that is none'
  return { address: plainAddress(source), port, localAddress: plainAddress(destination), localPort }
}

/** No sign, no leading zero: others may read it in another way. */
function readPort (text: string): number | undefined {
  if (!/^(?:0|[1-9]\d{0,4})$/.test(text)) return undefined
  const port = Number(text)
  return port > 65535 ? undefined : port
}

// Version 2: binary.

/** What can be said before the length is there. */
function early (bytes: Buffer): ProxyHeader {
  return bytes.length > 12 && bytes[12]! >> 4 !== 2 ? bad(`version ${bytes[12]! >> 4}`) : incomplete
}

/** Bytes of both addresses and ports, by address family and transport. Datagrams do not come in here. */
const addressBytes: Readonly<Record<number, number>> = { 0x00: 0, 0x11: 12, 0x21: 36, 0x31: 216 }

function readBinary (bytes: Buffer): ProxyHeader {
  const [version, command, family] = [bytes[12]! >> 4, bytes[12]! & 15, bytes[13]!]
  if (version !== 2) return bad(`version ${version}`)
  if (command > 1) return bad(`command ${command}`)
  const length = v2FixedBytes + bytes.readUInt16BE(14)
  if (length > v2MaxBytes) return bad(`${length} bytes of header`)
  const addresses = addressBytes[family]
  if (command === 1 && addresses === undefined) return bad(`family and transport 0x${family.toString(16)}`)
  if (command === 1 && length < v2FixedBytes + addresses!) return bad('the addresses do not fit in')
  if (bytes.length < length) return incomplete
  if (command === 0) return { kind: 'header', length, ends: undefined }
  const header = bytes.subarray(0, length)
  // A sender that does not know the family tells nothing that counts.
  const wrong = family === 0 ? undefined : checkFacts(header, v2FixedBytes + addresses!)
  return wrong === undefined ? { kind: 'header', length, ends: readEnds(header, family) } : bad(wrong)
}

function readEnds (header: Buffer, family: number): Ends | undefined {
  if (family === 0x00) return undefined
  if (family === 0x31) return unixEnds
  const size = family === 0x11 ? 4 : 16
  const at = v2FixedBytes + 2 * size
  return {
    address: addressText(header.subarray(v2FixedBytes, v2FixedBytes + size)), port: header.readUInt16BE(at),
    localAddress: addressText(header.subarray(v2FixedBytes + size, at)), localPort: header.readUInt16BE(at + 2),
  }
}

function addressText (bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  const isMapped = bytes.readUInt32BE(0) === 0 && bytes.readUInt32BE(4) === 0 && bytes.readUInt32BE(8) === 0xffff
  if (isMapped) return bytes.subarray(12).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16))
  return shortest(groups)
}

/** RFC 5952: "::" stands for the longest run of zeros, the first of equal ones. */
function shortest (groups: readonly string[]): string {
  let [from, length] = [0, 1]
  for (let start = 0; start < groups.length; start++) {
    let end = start
    while (groups[end] === '0') end++
    if (end - start > length) [from, length] = [start, end - start]
  }
  return length < 2 ? groups.join(':') : `${groups.slice(0, from).join(':')}::${groups.slice(from + length).join(':')}`
}

const factCrc = 0x03
const factTls = 0x20

/** TLVs: each must fit, and a checksum must be right. Nothing else of them is used. */
function checkFacts (header: Buffer, start: number): string | undefined {
  let checked = false
  for (let at = start; at < header.length;) {
    const end = factEnd(header, at, header.length)
    if (end === undefined) return 'a TLV that does not fit in'
    const value = header.subarray(at + 3, end)
    if (header[at] === factCrc) {
      if (checked) return 'two checksums'
      if (!isChecksum(header, at + 3, value)) return 'the checksum is wrong'
      checked = true
    }
    if (header[at] === factTls && !isWholeTls(value)) return 'what it tells about TLS is not whole'
    at = end
  }
  return undefined
}

function factEnd (bytes: Buffer, at: number, limit: number): number | undefined {
  if (at + 3 > limit) return undefined
  const end = at + 3 + bytes.readUInt16BE(at + 1)
  return end > limit ? undefined : end
}

function isChecksum (header: Buffer, at: number, value: Buffer): boolean {
  if (value.length !== 4) return false
  const cleared = Buffer.from(header)
  cleared.fill(0, at, at + 4)
  return crc32c(cleared) === value.readUInt32BE(0)
}

/** One byte of flags, four of the verification's result, then TLVs of their own. */
function isWholeTls (value: Buffer): boolean {
  if (value.length < 5) return false
  for (let at = 5; at < value.length;) {
    const end = factEnd(value, at, value.length)
    if (end === undefined) return false
    at = end
  }
  return true
}
