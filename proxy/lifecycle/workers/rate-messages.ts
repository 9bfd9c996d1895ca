import type { RateSettings } from '../../pipeline/rates.ts'

/** `more`: beside those that wait, some for later. `used`: of those lent before, so many are gone. */
export type RateAsk = readonly [limit: number, key: string, count: number, more: number, used: number, maxWaitMs: number]

/** As `Grant`, and how many of those for later were lent. */
export type RateGrant = readonly [limit: number, key: string, granted: number, more: number, firstWaitMs: number, resetMs: number]

/** Of those lent before: so many are gone, so many are not needed. */
export type RateBack = readonly [limit: number, key: string, used: number, unused: number]

/** What a worker says about limits of requests in a time. It numbers those it has. */
export type RateMessage =
  | { readonly open: number, readonly name: string, readonly settings: RateSettings, readonly label: readonly [scope: string, name: string] }
  | { readonly close: number }
  | { readonly asks: readonly RateAsk[] }
  | { readonly backs: readonly RateBack[] }
