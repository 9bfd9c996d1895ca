import { isIPv4 } from 'node:net'

/** Networks and their countries: `{ '192.0.2.0/24': 'DE', '2001:db8::/32': 'US' }`. */
export type Places = Readonly<Record<string, string>>

/** A file in MaxMind's form (maxmind.github.io/MaxMind-DB), as small as it can be. */
export function maxMindFile (places: Places): Buffer {
  const nodes: Array<[Record_, Record_]> = [[undefined, undefined]]
  const data: Buffer[] = []
  let dataBytes = 0
  for (const [network, country] of Object.entries(places)) {
    const value = encode({ country: { iso_code: country } })
    insert(nodes, bitsOf(network), { at: dataBytes })
    data.push(value)
    dataBytes += value.length
  }
  const numberOf = (record: Record_): number => {
    if (record === undefined) return nodes.length
    return typeof record === 'number' ? record : nodes.length + 16 + record.at
  }
  const tree = Buffer.alloc(nodes.length * 6)
  for (const [i, [left, right]] of nodes.entries()) {
    tree.writeUIntBE(numberOf(left), i * 6, 3)
    tree.writeUIntBE(numberOf(right), i * 6 + 3, 3)
  }
  const metadata = encode({
    node_count: nodes.length, record_size: 24, ip_version: 6, database_type: 'Test-Country', languages: ['en'],
    binary_format_major_version: 2, binary_format_minor_version: 0, build_epoch: 1_700_000_000, description: { en: 'test' },
  })
  return Buffer.concat([tree, Buffer.alloc(16), ...data, Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1'), metadata])
}

/** Another node, data, or nothing. */
type Record_ = number | { readonly at: number } | undefined

function insert (nodes: Array<[Record_, Record_]>, bits: readonly (0 | 1)[], value: { readonly at: number }): void {
  let node = 0
  for (const bit of bits.slice(0, -1)) {
    let next = nodes[node]![bit]
    if (typeof next !== 'number') {
      next = nodes.push([undefined, undefined]) - 1
      nodes[node]![bit] = next
    }
    node = next
  }
  nodes[node]![bits.at(-1)!] = value
}

/** Addresses of IPv4 are the last 32 bits of one of IPv6. */
function bitsOf (network: string): Array<0 | 1> {
  const [address = '', prefix = ''] = network.split('/')
  const isOld = isIPv4(address)
  const number = isOld ? oldNumber(address) : newNumber(address)
  const length = Number(prefix) + (isOld ? 96 : 0)
  return Array.from({ length }, (_, i) => (number >> BigInt(127 - i)) & 1n ? 1 : 0)
}

function oldNumber (address: string): bigint {
  return address.split('.').reduce((sum, part) => sum * 256n + BigInt(part), 0n)
}

function newNumber (address: string): bigint {
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string): string[] => text === '' ? [] : text.split(':')
  const middle = Array.from({ length: 8 - words(head).length - words(tail).length }, () => '0')
  return [...words(head), ...middle, ...words(tail)].reduce((sum, word) => sum * 65536n + BigInt(`0x${word}`), 0n)
}

type Value = string | number | readonly Value[] | { readonly [name: string]: Value }

function encode (value: Value): Buffer {
  if (typeof value === 'string') return Buffer.concat([Buffer.of(2 << 5 | value.length), Buffer.from(value)])
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(5)
    bytes[0] = 6 << 5 | 4
    bytes.writeUInt32BE(value, 1)
    return bytes
  }
  // Arrays are of an extended type: 11 is said as 4 behind the control byte.
  if (Array.isArray(value)) return Buffer.concat([Buffer.of(value.length, 4), ...value.map(encode)])
  const entries = Object.entries(value as { readonly [name: string]: Value })
  return Buffer.concat([Buffer.of(7 << 5 | entries.length), ...entries.flatMap(([name, member]) => [encode(name), encode(member)])])
}

/** A file in IP2Location's BIN form of type 1, for IPv4 alone: what no network holds is "-". */
export function ip2LocationFile (places: Places): Buffer {
  const rows: Array<{ readonly from: number, readonly country: string }> = [{ from: 0, country: '-' }]
  const networks = Object.entries(places).map(([network, country]) => {
    const [address = '', prefix = ''] = network.split('/')
    const from = Number(oldNumber(address))
    return { from, to: from + 2 ** (32 - Number(prefix)), country }
  }).toSorted((a, b) => a.from - b.from)
  for (const { from, to, country } of networks) rows.push({ from, country }, { from: to, country: '-' })
  rows.push({ from: 0xffffffff, country: '-' })
  const header = Buffer.alloc(64)
  // The reader does not work without an index: where to look for each half of an address. All of it is anywhere here.
  const index = Buffer.alloc(65_536 * 8)
  for (let i = 0; i < 65_536; i++) index.writeUInt32LE(rows.length - 2, i * 8 + 4)
  const indexAt = 64
  const baseAt = indexAt + index.length
  const textAt = baseAt + rows.length * 8
  const texts: Buffer[] = []
  let next = textAt
  const table = Buffer.alloc(rows.length * 8)
  for (const [i, { from, country }] of rows.entries()) {
    table.writeUInt32LE(from, i * 8)
    table.writeUInt32LE(next, i * 8 + 4)
    const text = Buffer.concat([Buffer.of(country.length), Buffer.from(country.padEnd(2, '\0')), Buffer.of(country.length), Buffer.from(country)])
    texts.push(text)
    next += text.length
  }
  header.set([1, 2, 24, 1, 1])
  header.writeUInt32LE(rows.length - 1, 5)
  header.writeUInt32LE(baseAt + 1, 9)
  header.writeUInt32LE(indexAt + 1, 21)
  header[29] = 1
  header.writeUInt32LE(next + 256, 31)
  // It reads 256 bytes wherever a text begins.
  return Buffer.concat([header, index, table, ...texts, Buffer.alloc(256)])
}
