import { optionalBlock } from '../schema/blocks.ts'
import { list, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { integer, oneOf } from '../schema/values.ts'
import { statusRange } from './status-range.ts'

const count = integer(1, 1_000_000)

const counts = {
  failureThreshold: setting(count, 5, 'Failures in a row after which it is left alone.'),
  successThreshold: setting(count, 2, 'Successes in a row after which it counts as well again.'),
  timeout: setting(durationWithin('1ms'), '30s', 'How long it is left alone before it is tried again.', {
    bareUnitMs: 1000, aliases: ['timeout-seconds', 'timeout-secs', 'timeout-ms', 'recovery-timeout-secs', 'reset-timeout-seconds', 'reset-timeout-secs'],
  }),
  halfOpenMaxRequests: setting(count, 1, 'Requests at a time while it is tried again.'),
}

/** What an answer says about who gave it. */
const answers = {
  failureStatus: list(statusRange, ['5xx'], 'Answers that count as failures, beside missing and broken ones. Calls of gRPC that end at once with UNAVAILABLE, DEADLINE_EXCEEDED, INTERNAL, UNKNOWN or DATA_LOSS count as 503, 504 and 500.', { commas: true }),
}

const example = `circuit-breaker {
    failure-threshold 5
    success-threshold 2
    timeout "30s"
}`

export const agentCircuitBreaker = optionalBlock(counts, 'Leave the agent alone, for a while, when it keeps failing: its failure mode counts at once.', { example })

export const routeCircuitBreaker = optionalBlock({ ...counts, ...answers }, 'Answer 503 at once, for a while, when the route\'s upstream keeps failing on it.', { example })

export const upstreamCircuitBreaker = optionalBlock({
  ...counts,
  ...answers,
  scope: setting(oneOf('target', 'upstream'), 'target', 'What is left alone: each target for itself, or the upstream as a whole.'),
}, 'Leave alone what keeps failing, for a while. Without this block nothing is.', { example })
