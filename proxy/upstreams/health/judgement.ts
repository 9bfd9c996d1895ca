import type { Fault, FaultCode } from '../../pipeline/faults.ts'
import type { StatusRange } from './settings.ts'

/** Faults of this name are about our own limits, not about what a target did. */
const ours: ReadonlySet<FaultCode> = new Set(['NO_TARGET', 'UPSTREAM_BUSY', 'BREAKER_OPEN'])

interface End {
  readonly status: number
  readonly fault: Fault | undefined
}

/** What the end of a try, or of an exchange, says about who was asked. "gateway": it was not the application that failed. */
export function outcomeOf ({ status, fault }: End, failureStatus: readonly StatusRange[]): 'ok' | 'failed' | 'gateway' | 'nothing' {
  if (fault !== undefined) return fault.row.blame === 'upstream' && !ours.has(fault.code) ? 'gateway' : 'nothing'
  if (status === 0) return 'nothing'
  for (const { from, to } of failureStatus) {
    if (status >= from && status <= to) return status >= 502 && status <= 504 ? 'gateway' : 'failed'
  }
  return 'ok'
}
