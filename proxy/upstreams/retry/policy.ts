import type { Reply } from '../../pipeline/exchange.ts'
import type { Fault, FaultCode } from '../../pipeline/faults.ts'
import type { BackOffSettings } from './back-off.ts'
import type { BudgetSettings } from './budget.ts'
import type { ReplaySettings } from './replay.ts'

/** Failures that may be tried again, by the words of `retry-on`. */
export type RetryReason = 'connect-failure' | 'reset' | 'timeout' | 'grpc-unavailable'

export interface RetryPolicy {
  /** Tries altogether; without it as many as there are targets. */
  readonly maxAttempts: number | undefined
  readonly on: ReadonlySet<RetryReason>
  /** Answers that are thrown away. */
  readonly statuses: ReadonlySet<number>
  readonly backOff: BackOffSettings
  /** Until the head of an answer is there, the wait for a connection included; Infinity: no such limit. */
  readonly attemptTimeoutMs: number
  /** Methods as well that may do something twice. */
  readonly nonIdempotent: boolean
}

export interface HedgePolicy {
  /** How long one target is waited for before another one is asked as well. */
  readonly delayMs: number
  /** Targets that are asked at a time. */
  readonly maxAttempts: number
}

export interface TriesPolicy {
  readonly retry: RetryPolicy
  readonly hedge: HedgePolicy | undefined
  readonly budget: BudgetSettings
  readonly replay: ReplaySettings
}

/** Methods that may be sent twice (RFC 9110 section 9.2.2). */
export const idempotent: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE'])

/** Of an answer: why it is thrown away and asked for again; `undefined` when it is one to pass on. */
export function reasonOfReply ({ on, statuses }: Pick<RetryPolicy, 'on' | 'statuses'>, { status, headers }: Reply): string | undefined {
  if (statuses.has(status)) return String(status)
  // An answer that is nothing but trailers has the status in its head (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
  if (status === 200 && on.has('grpc-unavailable') && headers.get('grpc-status') === '14') return 'grpc-unavailable'
  return undefined
}

/** Of a fault of something that was sent. */
const sentReasons: Partial<Readonly<Record<FaultCode, RetryReason>>> = { UPSTREAM_RESET: 'reset', UPSTREAM_TIMEOUT: 'timeout' }

/** Faults that only another target can mend: this one has said what it is. */
const ofThisTarget: ReadonlySet<FaultCode> = new Set(['UPSTREAM_BUSY', 'UPSTREAM_HTTP_VERSION'])

/** Of a fault: what `retry-on` calls it; `undefined` when nothing could come of another try. `unsent`: the target has certainly done nothing. */
export function reasonOfFault ({ code, row }: Fault, unsent: boolean): RetryReason | undefined {
  return unsent && row.retry === 'unsent' ? 'connect-failure' : sentReasons[code]
}

/** Whether the same target may be asked again after this fault. */
export function mayAskSameTarget ({ code }: Fault): boolean {
  return !ofThisTarget.has(code)
}
