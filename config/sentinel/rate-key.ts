import { nearest } from '../kdl/nearest.ts'
import type { OlderForm } from '../schema/field.ts'
import type { Mismatch, ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { token } from './types.ts'

/** What requests are counted by: each combination of these has a count of its own. */
export interface RateKeyPart {
  readonly kind: 'client-ip' | 'path' | 'route' | 'host' | 'header' | 'cookie' | 'query' | 'jwt' | 'attribute'
  /** Of the header field, cookie, parameter, claim or attribute; of an IPv6 client the bits that count, where they are not 64. */
  readonly name: string | undefined
}

const plainParts: Readonly<Record<string, readonly RateKeyPart['kind'][]>> = {
  'client-ip': ['client-ip'], ip: ['client-ip'], client: ['client-ip'], 'remote-addr': ['client-ip'], 'ip-and-path': ['client-ip', 'path'], path: ['path'], route: ['route'], host: ['host'], 'client-ip-and-path': ['client-ip', 'path'],
}

const namedKinds = ['header', 'cookie', 'query', 'jwt', 'attribute'] as const

export const rateKey: ValueType<readonly RateKeyPart[]> = {
  name: 'key',
  expected: 'client-ip, client-ip/56 (bits of IPv6 addresses that count; 64), path, route, host, or header:, cookie:, query:, jwt: or attribute: with a name; several with "+" between them',
  example: '"client-ip", "header:X-Api-Key", "route+client-ip"',
  json: { type: 'string' },
  parse (raw, context) {
    if (typeof raw !== 'string') return unfit
    const parts: RateKeyPart[] = []
    for (const written of raw.split('+').map(part => part.trim())) {
      const plain = plainParts[written.toLowerCase().replaceAll('_', '-')]
      const [, word, name = ''] = /^([A-Za-z]+):(.*)$/.exec(written) ?? []
      const bits = prefixLength(written)
      const kind = namedKinds.find(one => one === word?.toLowerCase())
      if (plain !== undefined) parts.push(...plain.map(one => ({ kind: one, name: undefined })))
      else if (kind !== undefined && 'value' in token.parse(name, context)) parts.push({ kind, name })
      else if (kind !== undefined) return { wrong: name === '' ? `after "${kind}:" a name is missing` : `the name after "${kind}:" has characters that no name has` }
      else if (bits !== undefined) parts.push({ kind: 'client-ip', name: bits })
      else return guess(written)
    }
    return { value: parts }
  },
}

function prefixLength (written: string): string | undefined {
  const [, ip = '', bits] = /^([A-Za-z_-]+)\/(\d{1,3})$/.exec(written) ?? []
  const isClient = plainParts[ip.toLowerCase().replaceAll('_', '-')]?.join() === 'client-ip'
  return isClient && Number(bits) >= 1 && Number(bits) <= 128 ? bits : undefined
}

function guess (written: string): Mismatch {
  const near = nearest(written, ['client-ip', 'path', 'route', 'host', ...namedKinds])
  return near === undefined ? unfit : { wrong: '', hint: `did you mean "${near}${namedKinds.some(kind => kind === near) ? ':Name' : ''}"?` }
}

/** `key "header" "Authorization"`: the name stands in a value of its own. */
export const keyInTwo: OlderForm = {
  doc: 'write key "header:Name"',
  when: ({ args }) => args.length === 2 && args[0]?.value === 'header' && typeof args[1]?.value === 'string',
  into: node => [{ ...node, args: node.args.slice(1).map(arg => ({ ...arg, value: `header:${String(arg.value)}` })) }],
}
