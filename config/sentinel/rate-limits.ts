import { block, optionalBlock } from '../schema/blocks.ts'
import { notBuilt, optional, required, setting } from '../schema/fields.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { integer, words } from '../schema/values.ts'

const keyWords = words(['client-ip', 'path', 'route', 'client-ip-and-path'], { also: { 'client-ip': ['ip', 'remote-addr'], 'client-ip-and-path': ['client-ip+path', 'ip-and-path'] } })

/** What requests are counted by. The names of header fields are in lower case. */
export const rateLimitKey: ValueType<string> = {
  ...keyWords,
  name: 'key',
  expected: 'one of client-ip, path, route, client-ip-and-path, or header:NAME',
  example: '"client-ip", "header:X-Api-Key"',
  json: { type: 'string' },
  parse (raw, context) {
    if (typeof raw !== 'string' || !/^header:/i.test(raw)) return keyWords.parse(raw, context)
    const name = raw.slice('header:'.length).trim().toLowerCase()
    if (name === '') return { wrong: 'the name of the header is missing', hint: 'write "header:X-Api-Key"' }
    return /^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) ? { value: `header:${name}` } : unfit
  },
}

const requests = integer(1, 10_000_000)

export const rateLimits = notBuilt(block({
  defaultRps: optional(requests, 'Requests in a second on a route that has no limit of its own.'),
  defaultBurst: optional(requests, 'How many more than that may come at once.'),
  key: setting(rateLimitKey, 'client-ip', 'What is counted together.'),
  global: optionalBlock({
    maxRps: required(requests, 'Requests in a second.'),
    burst: setting(requests, 10, 'How many more than that may come at once.'),
    key: setting(rateLimitKey, 'client-ip', 'What is counted together.'),
  }, 'A limit over all routes.', { example: 'global {\n    max-rps 10000\n    burst 1000\n    key "client-ip"\n}' }),
}, 'Requests in a time, for routes that say nothing themselves.', {
  build (value, here) {
    if (here.given('defaultBurst') && !here.given('defaultRps')) {
      here.report.error('CONFIG_MISSING', `${here.scope} has 'default-burst' but no 'default-rps'`, here.where('defaultBurst'), 'write default-rps 100: a burst is what goes beyond a rate')
    }
    return value
  },
  example: `rate-limits {
    default-rps 100
    default-burst 20
    key "client-ip"
    global {
        max-rps 10000
        burst 1000
    }
}`,
}))
