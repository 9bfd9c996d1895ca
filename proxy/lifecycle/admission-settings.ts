import { totalmem } from 'node:os'
import type { LimitsConfig } from '../../config/sentinel/index.ts'
import { GradientLimit, type AdmissionSettings, type ConcurrencyLimit } from '../state/index.ts'

/** @param before What the configuration before has found out; it goes on when that is wanted in the same way. */
export function admissionSettings (limits: LimitsConfig, refusal: AdmissionSettings['refusal'], before: ConcurrencyLimit | undefined): AdmissionSettings {
  const { maxInFlightRequests, maxInFlightRequestsPerWorker = Infinity, maxQueuedRequests, queueTimeout, adaptiveConcurrency } = limits
  const maxInFlight = Math.min(maxInFlightRequests, maxInFlightRequestsPerWorker)
  return { maxInFlight, maxQueued: maxQueuedRequests, queueTimeoutMs: queueTimeout, limit: limitOf(adaptiveConcurrency, maxInFlight, before), refusal }
}

function limitOf (adaptive: LimitsConfig['adaptiveConcurrency'], maxInFlight: number, before: ConcurrencyLimit | undefined): ConcurrencyLimit | undefined {
  if (adaptive?.enabled !== true) return undefined
  const { minLimit, maxLimit, initialLimit, tolerance } = adaptive
  const settings = { min: minLimit, max: Math.min(maxLimit, maxInFlight), initial: initialLimit, tolerance }
  if (!(before instanceof GradientLimit)) return new GradientLimit(settings)
  before.settings = settings
  return before
}

/** Bytes; Infinity for none. A container's own limit is what the machine has. */
export function memoryLimit ({ maxMemory = Infinity, maxMemoryPercent }: LimitsConfig): number {
  const share = maxMemoryPercent === undefined ? Infinity : machineBytes() * maxMemoryPercent / 100
  return Math.min(maxMemory, share)
}

function machineBytes (): number {
  const total = totalmem()
  const constrained = process.constrainedMemory()
  return constrained > 0 && constrained < total ? constrained : total
}
