import { optionalBlock } from '../schema/blocks.ts'
import { optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { integer, numberBetween } from '../schema/values.ts'
import { someOfHundred } from './types.ts'

const wait = durationWithin('1ms')
const inSeconds = { bareUnitMs: 1000 }
const inARow = integer(0, 1_000_000)

export const outlierDetection = optionalBlock({
  consecutiveErrors: setting(inARow, 5, 'Tries in a row without an answer, or with one of 5xx, after which a target is ejected; 0 = they do not count.', { aliases: ['consecutive-5xx'] }),
  consecutiveGatewayErrors: setting(inARow, 0, 'The same of tries without an answer, or with one of 502, 503 or 504; 0 = they do not count.', { aliases: ['consecutive-gateway-failure'] }),
  errorRate: optional(someOfHundred, 'Failures of an interval, in percent of the tries, from which a target is ejected.'),
  maxLatency: optional(wait, 'Mean time to an answer, over an interval, above which a target is ejected.'),
  latencyFactor: optional(numberBetween(1, 1000), 'The same, as a multiple of what is usual among the targets (the median).'),
  minRequests: setting(integer(1, 1_000_000), 20, 'Tries of an interval without which its rate and its time say nothing.'),
  interval: setting(wait, '10s', 'Time over which rates and times are taken.', inSeconds),
  baseEjectionTime: setting(wait, '30s', 'How long a target is ejected the first time; twice as long the second time in a row, and so on.', inSeconds),
  maxEjectionTime: setting(wait, '5m', 'Longest ejection.', inSeconds),
  maxEjectionPercent: setting(someOfHundred, 10, 'Most of the targets that are ejected at a time, in percent. One of several always may be; the last one that is well never is.'),
}, 'Take out targets, for a while, that answer worse than they should.', {
  example: `outlier-detection {
    consecutive-errors 5
    error-rate 50
    base-ejection-time "30s"
    max-ejection-percent 30
}`,
  build (value, here) {
    if (value.baseEjectionTime > value.maxEjectionTime) {
      here.report.error('CONFIG_CONTRADICTION', `'base-ejection-time' of ${here.scope} is longer than 'max-ejection-time'`, here.where(here.given('baseEjectionTime') ? 'baseEjectionTime' : 'maxEjectionTime'))
    }
    const looksAt = value.consecutiveErrors + value.consecutiveGatewayErrors > 0 || here.given('errorRate') || here.given('maxLatency') || here.given('latencyFactor')
    if (!looksAt && here.clean) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} looks at nothing: nobody is ever ejected`, here.at, 'write consecutive-errors 5')
    }
    return value
  },
})
