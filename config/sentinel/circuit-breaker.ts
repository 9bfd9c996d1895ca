import { optionalBlock } from '../schema/blocks.ts'
import { setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { integer } from '../schema/values.ts'

const count = integer(1, 1_000_000)

/** The same block for the targets of an upstream and for an agent. */
export const circuitBreaker = optionalBlock({
  failureThreshold: setting(count, 5, 'Failures in a row after which it is left alone.'),
  successThreshold: setting(count, 2, 'Successes in a row after which it counts as well again.'),
  timeout: setting(durationWithin('1ms'), '30s', 'How long it is left alone before it is tried again.', {
    bareUnitMs: 1000, aliases: ['timeout-seconds', 'timeout-secs', 'timeout-ms', 'recovery-timeout-secs', 'reset-timeout-seconds', 'reset-timeout-secs'],
  }),
  halfOpenMaxRequests: setting(count, 1, 'Requests at a time while it is tried again.'),
}, 'Leave alone what keeps failing, for a while.', {
  example: `circuit-breaker {
    failure-threshold 5
    success-threshold 2
    timeout "30s"
}`,
})
