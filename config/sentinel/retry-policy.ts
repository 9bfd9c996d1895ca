import { block, optionalBlock } from '../schema/blocks.ts'
import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, integer, words } from '../schema/values.ts'
import { percentage, statusCode } from './types.ts'

const wait = durationWithin('1ms')

const failures = words(['connect-failure', 'reset', 'timeout', 'gateway-error', '5xx', 'grpc-unavailable'], {
  also: {
    'connect-failure': ['connection-error', 'connect-error', 'connection'],
    '5xx': ['server-error'],
    'grpc-unavailable': ['unavailable'],
  },
})

/** Old files name what to try again after, by a word or by status. */
const reason: ValueType<number | string> = {
  name: 'word or status',
  expected: `a status or one of ${failures.words?.join(', ') ?? ''}`,
  json: { anyOf: [{ type: 'integer' }, failures.json] },
  parse (raw, context) {
    const status = statusCode.parse(typeof raw === 'string' && /^\d{3}$/.test(raw) ? Number(raw) : raw, context)
    if ('value' in status) return status
    return typeof raw === 'string' ? failures.parse(raw, context) : unfit
  },
}

const budget = block({
  percent: setting(percentage, 20, 'Further tries as a share of the requests of the last ten seconds.'),
  minPerSecond: setting(integer(0, 1_000_000), 10, 'Further tries in a second that are allowed in any case.', { aliases: ['min-retries-per-second'] }),
}, 'How many further tries, hedges included, an upstream gets, so that they cannot make an outage larger. For each worker by itself.', {
  example: 'budget { percent 20; min-per-second 10 }',
})

export const retryPolicy = optionalBlock({
  maxAttempts: setting(integer(1, 100), 3, 'Tries altogether, the first one included.'),
  retryableStatusCodes: list(statusCode, [], 'Answers that are thrown away and tried again. When tries run out, the last answer is the client\'s.', { aliases: ['retryable-statuses'] }),
  retryOn: list(reason, [], 'Failures that are tried again: connect-failure = no connection came about (always tried again); reset = the connection broke before an answer; timeout = no answer in time; gateway-error = the last two and answers of 502, 503, 504; 5xx = those and all other answers of 500 to 599; grpc-unavailable = a call of gRPC that ends at once with UNAVAILABLE; or a status. Without it connect-failure and reset, and timeout where `per-attempt-timeout` is set.'),
  backoff: setting(wait, '100ms', 'Longest wait before the second try; it doubles each time, and each wait is drawn at random between nothing and that. Where nothing was sent and another target is there, that one is asked at once.', { aliases: ['backoff-base-ms', 'backoff-ms'] }),
  maxBackoff: setting(wait, '2s', 'Longest wait between two tries; an answer\'s `Retry-After` is waited for no longer than this.', { aliases: ['backoff-max-ms', 'max-backoff-ms'] }),
  perAttemptTimeout: optional(wait, 'Time for one try, from choosing a target to the head of its answer, without the time that the client takes for its body. Without it the time-outs of the upstream count.', { aliases: ['timeout-ms', 'timeout-secs', 'per-attempt-timeout-ms'] }),
  retryNonIdempotent: setting(bool, false, 'Also repeat methods that may do something twice, such as POST. Without it they are tried again only when the target has certainly done nothing.'),
  budget,
}, 'Try again when the upstream fails. Nothing is tried again once the answer has begun, and no request whose body is larger than `limits { max-body-buffer }` once part of it was sent.', {
  example: `retry-policy {
    max-attempts 3
    retryable-status-codes 502 503 504
    backoff "50ms"
    max-backoff "1s"
    per-attempt-timeout "2s"
}`,
  build (value, here) {
    if (value.backoff > value.maxBackoff) {
      here.report.error('CONFIG_CONTRADICTION', `'backoff' of ${here.scope} is longer than 'max-backoff': the wait would never grow`, here.where(here.given('backoff') ? 'backoff' : 'maxBackoff'))
    }
    if (value.maxAttempts === 1 && here.given('maxAttempts')) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} allows one try: nothing is tried again`, here.where('maxAttempts'), 'the first try counts')
    }
    const { retryOn, retryNonIdempotent } = value
    if (retryOn.includes('grpc-unavailable') && !retryNonIdempotent) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} retries grpc-unavailable, but calls of gRPC are POST`, here.where('retryOn'), 'write retry-non-idempotent #true')
    }
    return value
  },
})
