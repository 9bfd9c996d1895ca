import type { Exchange, Filter, Reply } from '../pipeline/exchange.ts'
import { faultAnswer } from '../pipeline/fault-reply.ts'
import { Fault } from '../pipeline/faults.ts'
import { waitFor } from './wait.ts'

export interface FaultInjectionSettings {
  readonly name: string
  readonly delayMs: number | undefined
  readonly delayPercentage: number
  readonly abortStatus: number | undefined
  readonly abortPercentage: number
  /** Only requests with this field. */
  readonly header: string | undefined
}

/** Makes requests slow or fail on purpose, so that what depends on them can be tested. */
export function faultInjectionFilter ({ name, delayMs, delayPercentage, abortStatus, abortPercentage, header }: FaultInjectionSettings): Filter {
  const wanted = header?.toLowerCase()
  const isHit = (percentage: number): boolean => Math.random() * 100 < percentage

  function abort (x: Exchange): Reply | undefined {
    if (abortStatus === undefined || !isHit(abortPercentage)) return undefined
    x.fault = new Fault('INJECTED', name)
    const reply = faultAnswer(x, 'INJECTED')
    if (reply.status === 503) reply.status = abortStatus
    return reply
  }

  return {
    name: 'fault-injection',
    onRequest (x) {
      if (wanted !== undefined && !x.request.headers.has(wanted)) return undefined
      if (delayMs === undefined || !isHit(delayPercentage)) return abort(x)
      x.setAttribute('fault-injection.delay', String(delayMs))
      return waitFor(x, delayMs).then(() => abort(x))
    },
  }
}
