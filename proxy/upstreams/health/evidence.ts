import type { StandingBit } from '../target.ts'
import type { Tally } from '../outliers.ts'

/**
 * What those who ask targets tell those who judge them, and what they are told in return. Plain data: the two may be in different processes, one judge for all
 * who ask.
 */

/** How tries at one target went since the last word of it: the good ones came first. */
export interface Evidence extends Tally {
  readonly upstream: string
  readonly target: string
  /** They were let through to find out whether the target is well again. */
  readonly probe: boolean
}

/** The same of exchanges that passed a gate. */
export interface GateEvidence {
  readonly gate: string
  readonly ok: number
  readonly failed: number
  readonly probe: boolean
}

/** How a target is to be treated from now on: all of it each time. */
export interface TargetOrder {
  readonly upstream: string
  readonly target: string
  readonly reasons: ReadonlyArray<JudgedBit>
  /** Tries that it may have at a time for the sake of finding out; `undefined` when it is as good as others. */
  readonly probes: number | undefined
  /** Good tries are to be told at once, and not only together with the next bad one. */
  readonly attentive: boolean
  /** Part of its weight that it gets. */
  readonly share: number
  /** When it may be tried again, in milliseconds from now; 0 where that is not known. */
  readonly retryMs: number
}

/** Reasons that are judged; who is in the list is decided elsewhere. */
export type JudgedBit = Exclude<StandingBit, 'leaving'>

export interface GateOrder {
  readonly gate: string
  readonly open: boolean
  readonly probes: number | undefined
  readonly attentive: boolean
  /** When it may be tried again, in milliseconds from now; 0 where that is not known. */
  readonly retryMs: number
}

/** How targets are to be treated from now on; those that are not named as before. */
export interface HealthOrders {
  readonly targets: readonly TargetOrder[]
  readonly gates: readonly GateOrder[]
}

/** What of orders one of several workers gets: together they let through no more probes than one would. Those without a place for one wait. */
export function partOf ({ targets, gates }: HealthOrders, worker: number, workers: number): HealthOrders {
  const placesOf = (probes: number): number => Math.floor(probes / workers) + (worker < probes % workers ? 1 : 0)
  return {
    targets: targets.map((order) => {
      if (order.probes === undefined) return order
      const probes = placesOf(order.probes)
      return probes > 0 ? { ...order, probes } : { ...order, probes: undefined, reasons: [...order.reasons, 'open'] }
    }),
    gates: gates.map((order) => {
      if (order.probes === undefined) return order
      const probes = placesOf(order.probes)
      return probes > 0 ? { ...order, probes } : { ...order, probes: undefined, open: true }
    }),
  }
}
