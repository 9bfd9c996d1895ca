import { block, optionalBlock } from '../schema/blocks.ts'
import { optional, required, setting } from '../schema/fields.ts'
import { integer } from '../schema/values.ts'
import { rateKey } from './rate-key.ts'
import { checkRateLimit, overLimitFields } from './rate-limit-fields.ts'

const requests = integer(1, 10_000_000)
const more = integer(0, 10_000_000)

const global = optionalBlock({
  maxRps: required(requests, 'Requests in a second.'),
  burst: setting(more, 10, 'How many more than that may come at once.'),
  key: optional(rateKey, 'What is counted together; all requests without it.'),
}, 'A limit over all routes.', { example: 'global {\n    max-rps 10000\n    burst 1000\n    key "client-ip"\n}' })

export const rateLimits = block({
  defaultRps: optional(requests, 'Requests in a second on a route that has no limit of its own.'),
  defaultBurst: optional(more, 'How many more than that may come at once.'),
  key: setting(rateKey, 'client-ip', 'What is counted together.'),
  global,
  ...overLimitFields,
}, 'Requests in a time, for routes that say nothing themselves.', {
  build (value, here) {
    if (here.given('defaultBurst') && !here.given('defaultRps')) {
      here.report.error('CONFIG_MISSING', `${here.scope} has 'default-burst' but no 'default-rps'`, here.where('defaultBurst'), 'write default-rps 100: a burst is what goes beyond a rate')
    }
    checkRateLimit(value, here)
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
})
