import { createSocket } from 'node:dgram'
import type { TestContext } from 'node:test'

/** What a name has: addresses by record type, or SRV records. */
export type DnsRecord =
  | { readonly type: 'A' | 'AAAA', readonly address: string, readonly ttl: number }
  | { readonly type: 'SRV', readonly target: string, readonly port: number, readonly priority: number, readonly weight: number, readonly ttl: number }

export interface DnsServer {
  /** `127.0.0.1:port`. */
  readonly address: string
  /** By name, in lower case. A name that is not there does not exist. */
  readonly zone: Map<string, readonly DnsRecord[]>
  /** How the next questions are treated. */
  behaviour: 'answer' | 'silent' | 'garbage' | 'servfail' | 'servfail-aaaa'
  readonly questions: string[]
}

const types = { A: 1, AAAA: 28, SRV: 33 } as const

/** A DNS server over UDP (RFC 1035), as much of it as answers questions for one name. */
export async function dnsServer (t: TestContext): Promise<DnsServer> {
  const socket = createSocket('udp4')
  const server = { address: '', zone: new Map<string, readonly DnsRecord[]>(), behaviour: 'answer' as DnsServer['behaviour'], questions: [] as string[] }
  socket.on('message', (query, from) => {
    const reply = answerTo(query, server)
    if (reply !== undefined) socket.send(reply, from.port, from.address)
  })
  await new Promise<void>((resolve) => { socket.bind(0, '127.0.0.1', resolve) })
  t.after(() => socket.close())
  server.address = `127.0.0.1:${socket.address().port}`
  return server
}

function answerTo (query: Buffer, { zone, behaviour, questions }: DnsServer): Buffer | undefined {
  let at = 12
  const labels: string[] = []
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += length + 1
  }
  const type = query.readUInt16BE(at + 1)
  const question = query.subarray(12, at + 5)
  const name = labels.join('.').toLowerCase()
  questions.push(`${type} ${name}`)
  if (behaviour === 'silent') return undefined
  if (behaviour === 'garbage') return Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80, 0, 1, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff])])
  const records = zone.get(name)
  const fails = behaviour === 'servfail' || behaviour === 'servfail-aaaa' && type === types.AAAA
  const found = fails ? [] : (records ?? []).filter((record) => types[record.type] === type)
  const head = Buffer.alloc(12)
  query.copy(head, 0, 0, 2)
  head.writeUInt16BE(0x8180 | (fails ? 2 : records === undefined ? 3 : 0), 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(found.length, 6)
  return Buffer.concat([head, question, ...found.map(recordBytes)])
}

function recordBytes (record: DnsRecord): Buffer {
  const data = dataOf(record)
  const head = Buffer.alloc(12)
  head.writeUInt16BE(0xc00c, 0) // The name is that of the question.
  head.writeUInt16BE(types[record.type], 2)
  head.writeUInt16BE(1, 4)
  head.writeUInt32BE(record.ttl, 6)
  head.writeUInt16BE(data.length, 10)
  return Buffer.concat([head, data])
}

function dataOf (record: DnsRecord): Buffer {
  if (record.type !== 'SRV') return record.type === 'A' ? Buffer.from(record.address.split('.').map(Number)) : Buffer.from(wholeIpv6(record.address), 'hex')
  const head = Buffer.alloc(6)
  head.writeUInt16BE(record.priority, 0)
  head.writeUInt16BE(record.weight, 2)
  head.writeUInt16BE(record.port, 4)
  const labels = record.target.split('.').filter((label) => label !== '')
  return Buffer.concat([head, ...labels.map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])), Buffer.from([0])])
}

function wholeIpv6 (address: string): string {
  const [front = '', back = ''] = address.split('::')
  const groups = (text: string): string[] => text.split(':').filter((group) => group !== '').map((group) => group.padStart(4, '0'))
  const [a, b] = [groups(front), groups(back)]
  return [...a, ...Array.from({ length: 8 - a.length - b.length }, () => '0000'), ...b].join('')
}
