/** Kinds of values that several blocks of the language use. */
import { isIP } from 'node:net'
import { isHostName } from '../schema/address.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { integer, numberBetween, textLike } from '../schema/values.ts'

export const urlPath = textLike('a path that begins with "/"', /^\/[^\s?#]*$/, '"/api"')

/** RFC 9110, 5.6.2. */
export const token = textLike('a name of letters, digits and -_.!#$%&\'*+^`|~', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, '"X-Api-Key"')

export const method: ValueType<string> = {
  ...token,
  expected: 'an HTTP method',
  example: '"GET" "POST"',
  parse (raw, context) {
    const result = token.parse(raw, context)
    return 'wrong' in result ? result : { value: result.value.toUpperCase() }
  },
}

export const host: ValueType<string> = {
  name: 'host',
  expected: 'a host name, or "*." and a domain',
  example: '"shop.example.com", "*.example.com"',
  json: { type: 'string' },
  parse (raw) {
    if (typeof raw !== 'string') return unfit
    const name = raw.toLowerCase()
    if (/^[a-z]+:\/\//.test(name)) return { wrong: '', hint: 'leave out the scheme' }
    if (/:\d+$/.test(name) && !name.endsWith(']')) return { wrong: '', hint: 'leave out the port: hosts are compared without it' }
    if (/^\[[0-9a-f:.]+\]$/.test(name)) return { value: name }
    const rest = name.startsWith('*.') ? name.slice(2) : name
    return isHostName(rest) ? { value: name.replace(/\.$/, '') } : unfit
  },
}

export const ipAddress: ValueType<string> = {
  name: 'IP address',
  expected: 'an IP address',
  example: '"192.0.2.7", "2001:db8::1"',
  json: { type: 'string' },
  parse: raw => typeof raw === 'string' && isIP(raw) !== 0 ? { value: raw } : unfit,
}

/** RFC 9110, 15. */
export const statusCode = integer(100, 599)

/** A share: 0 = nothing, 1 = everything. */
export const ratio = numberBetween(0, 1)

export const percentage = numberBetween(0, 100)

/** A percentage that leaves something. */
export const someOfHundred: ValueType<number> = {
  ...percentage,
  expected: 'a number over 0, and at most 100',
  parse (raw, context) {
    const result = percentage.parse(raw, context)
    return 'wrong' in result || result.value > 0 ? result : unfit
  },
}

export const httpUrl: ValueType<URL> = {
  name: 'URL',
  expected: 'an http:// or https:// URL',
  example: '"https://collector.example.com:4317"',
  json: { type: 'string', format: 'uri' },
  parse (raw) {
    if (typeof raw !== 'string' || !URL.canParse(raw)) return unfit
    const url = new URL(raw)
    return url.protocol === 'http:' || url.protocol === 'https:' ? { value: url } : { wrong: `the scheme is ${url.protocol.slice(0, -1)}` }
  },
}
