import type { MaybePromise } from './body.ts'

export interface RateSettings {
  /** Over time, for each key. */
  readonly perSecond: number
  /** How many more than one may come at once. */
  readonly burst: number
  /** Keys that are remembered; the one unused for longest gives way. */
  readonly maxKeys: number
}

export interface RateVerdict {
  readonly allowed: boolean
  /** How many more may come at once. */
  readonly remaining: number
  /** Milliseconds until the next one may come: 0 when it was allowed and need not wait. */
  readonly waitMs: number
  /** Milliseconds until as many may come at once as ever. */
  readonly resetMs: number
}

/** Counts for one limit, wherever they are kept. */
export interface Rates {
  /**
   * Counts one, unless it is too much or would have to wait for longer than `maxWaitMs`. A promise where others have to be asked first; `undefined`
   * when nobody knows and the request may pass all the same. Throws, or rejects with, a `Fault` when it may not.
   */
  take (key: string, nowMs: number, maxWaitMs: number): MaybePromise<RateVerdict | undefined>
  /** Keys that are remembered now, and how many had to give way so far. */
  readonly keys: number
  readonly evicted: number
  /** Times that a store outside did not say anything. */
  readonly failed?: number
  close? (): void
}

/** Makes counts of this proxy: of this process, or of all its workers together. */
export interface RateLedgers {
  /** `name` is the same in all processes; `label` is what metrics call it. */
  open (name: string, settings: RateSettings, label: readonly [scope: string, name: string]): Rates
}

/** What came of asking for several at once: so many were granted, one interval after the other. */
export interface Grant {
  readonly granted: number
  /** Milliseconds until the first of them may go; below 0 when it might have gone before. Each next one has to wait for an interval longer. */
  readonly firstWaitMs: number
  /** Milliseconds until as many may come at once as ever, all that were granted being gone. */
  readonly resetMs: number
}

/** The verdict on one of those that asked together; `at` counts from 0. */
export function verdictOf ({ granted, firstWaitMs, resetMs }: Grant, at: number, intervalMs: number, capacityMs: number): RateVerdict {
  const waitMs = Math.max(0, firstWaitMs + at * intervalMs)
  if (at >= granted) return { allowed: false, remaining: 0, waitMs, resetMs }
  const ownResetMs = resetMs - (granted - 1 - at) * intervalMs
  return { allowed: true, remaining: roomIn(capacityMs - ownResetMs, intervalMs), waitMs, resetMs: ownResetMs }
}

/** How many fit into a time. Sums of fractions are a hair too small now and then. */
export function roomIn (ms: number, intervalMs: number): number {
  return Math.max(0, Math.floor(ms / intervalMs + 1e-6))
}
