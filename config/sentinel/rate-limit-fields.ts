import { optionalBlock } from '../schema/blocks.ts'
import { optional, required, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { Here } from '../schema/read-block.ts'
import { integer, text, words } from '../schema/values.ts'
import { keyInTwo, rateKey } from './rate-key.ts'
import { backend } from './rate-store.ts'

/** What every limit of requests in a time can say beside the rate itself. */
export const overLimitFields = {
  onLimit: setting(words(['reject', 'delay', 'log-only'], { also: { 'log-only': ['log'] } }), 'reject', 'What happens to a request over the limit.'),
  statusCode: setting(integer(400, 599), 429, 'Status of a refusal.'),
  message: optional(text, 'Body of a refusal.', { aliases: ['limit-message'] }),
  maxDelay: setting(durationWithin('1ms', '5m'), '5s', 'Longest wait of a request that is delayed.', { aliases: ['max-delay-ms'] }),
  maxKeys: setting(integer(1, 100_000_000), 100_000, 'Keys that are counted at a time; the one unused for longest gives way.'),
  backend,
}

export function checkRateLimit (value: { readonly onLimit: string }, here: Pick<Here<typeof overLimitFields>, 'given' | 'where' | 'report' | 'scope'>): void {
  if (here.given('maxDelay') && value.onLimit !== 'delay') {
    here.report.warning('CONFIG_NO_EFFECT', `'max-delay' of ${here.scope} counts only with on-limit "delay"`, here.where('maxDelay'))
  }
}

const many = integer(1, 1_000_000_000)

const fields = {
  requestsPerSecond: required(many, 'Requests of a second.', { aliases: ['max-rps', 'rps'] }),
  burst: setting(integer(0, 1_000_000_000), 10, 'Requests that may come at once beyond that.'),
  key: setting(rateKey, 'client-ip', 'Whose requests are counted together. Limits by `jwt:` or `attribute:` are asked when the agents of the route have been: they may refuse a forged token, and nobody here looks at its signature.'),
  ...overLimitFields,
}

export const rateLimit = optionalBlock(fields, 'Requests in a time; more get 429.', {
  older: { key: keyInTwo },
  example: `rate-limit {
    requests-per-second 100
    burst 20
    key "client-ip"
}`,
  build (value, here) {
    checkRateLimit(value, here)
    return value
  },
})

export const globalRateLimit = optionalBlock(fields, 'Requests in a time, for all clients together; more get 429.', {
  older: { key: keyInTwo },
  example: 'global-rate-limit { requests-per-second 5000 }',
  build (value, here) {
    checkRateLimit(value, here)
    return here.given('key') ? value : { ...value, key: [] }
  },
})
