import { optionalBlock } from '../schema/blocks.ts'
import { list, optional, setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import type { ValueType } from '../schema/value.ts'
import { unfit } from '../schema/value.ts'
import { bool, integer, words } from '../schema/values.ts'
import { statusCode } from './types.ts'

const wait = durationWithin('1ms')

const failures = words(['connect-failure', 'timeout', '5xx', 'gateway-error'], { also: { 'connect-failure': ['connection-error', 'connect-error', 'connection'], '5xx': ['server-error'] } })

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

export const retryPolicy = optionalBlock({
  maxAttempts: setting(integer(1, 100), 3, 'Tries altogether, the first one included.'),
  retryableStatusCodes: list(statusCode, [], 'Answers that are thrown away and tried again; without them only failures to connect are.', { aliases: ['retryable-statuses'] }),
  retryOn: list(reason, [], 'Older form of `retryable-status-codes`, which also has words for kinds of failures.'),
  backoff: setting(wait, '100ms', 'Wait before the second try; it doubles each time.', { aliases: ['backoff-base-ms', 'backoff-ms'] }),
  maxBackoff: setting(wait, '2s', 'Longest wait between two tries.', { aliases: ['backoff-max-ms', 'max-backoff-ms'] }),
  perAttemptTimeout: optional(wait, 'Time for one try; that of the upstream without it.', { aliases: ['timeout-ms', 'timeout-secs', 'per-attempt-timeout-ms'] }),
  retryNonIdempotent: setting(bool, false, 'Also repeat methods that may do something twice, such as POST.'),
}, 'Try again when the upstream fails.', {
  example: `retry-policy {
    max-attempts 3
    retryable-status-codes 502 503 504
    backoff "50ms"
    max-backoff "1s"
}`,
  build (value, here) {
    if (value.backoff > value.maxBackoff) {
      here.report.error('CONFIG_CONTRADICTION', `'backoff' of ${here.scope} is longer than 'max-backoff': the wait would never grow`, here.where(here.given('backoff') ? 'backoff' : 'maxBackoff'))
    }
    if (value.maxAttempts === 1 && here.given('maxAttempts')) {
      here.report.warning('CONFIG_NO_EFFECT', `${here.scope} allows one try: nothing is tried again`, here.where('maxAttempts'), 'the first try counts')
    }
    return value
  },
})
