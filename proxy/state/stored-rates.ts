import { hash } from 'node:crypto'
import type { MaybePromise } from '../pipeline/body.ts'
import { Fault } from '../pipeline/faults.ts'
import { verdictOf, type Grant, type Rates, type RateSettings, type RateVerdict } from '../pipeline/rates.ts'

/** What GCRA needs to know of a limit. */
export interface Spacing {
  /** Milliseconds between two requests that come evenly. */
  readonly intervalMs: number
  /** How much too early one may come. */
  readonly toleranceMs: number
}

/** Keeps counts for several proxies. */
export interface RateStore {
  /** Takes as many of `count` as may go within `maxWaitMs`, in one step that nobody else can come between. Rejects when nobody knows. */
  take (key: string, spacing: Spacing, count: number, maxWaitMs: number): Promise<Grant>
  close (): Promise<void>
}

export interface StoredSettings extends RateSettings {
  /** Before each key: whose count it is. */
  readonly prefix: string
  /** What a request meets that the store says nothing about. */
  readonly otherwise: Rates | 'open' | 'closed'
}

interface Waiting {
  readonly maxWaitMs: number
  readonly resolve: (verdict: MaybePromise<RateVerdict | undefined>) => void
  readonly reject: (error: unknown) => void
}

/**
 * Counts that a store keeps for several proxies. All that ask for one key while the store is being asked for it are one question together: however
 * many come, each key has one question under way. After a refusal nobody is asked again before another one could be granted: at the limit, a flood
 * costs the store nothing.
 */
export class StoredRates implements Rates {
  failed = 0
  readonly #store: RateStore
  readonly #settings: StoredSettings
  readonly #spacing: Spacing
  readonly #asking = new Map<string, Waiting[]>()
  /** When the next one of a key may go, and when all of them. */
  readonly #refused = new Map<string, { readonly nextMs: number, readonly allMs: number }>()

  constructor (store: RateStore, settings: StoredSettings) {
    const { perSecond, burst } = settings
    const intervalMs = 1000 / perSecond
    this.#store = store
    this.#settings = settings
    this.#spacing = { intervalMs, toleranceMs: intervalMs * burst }
  }

  get keys (): number {
    return this.#local?.keys ?? 0
  }

  get evicted (): number {
    return this.#local?.evicted ?? 0
  }

  take (key: string, nowMs: number, maxWaitMs: number): MaybePromise<RateVerdict | undefined> {
    const refused = this.#refused.get(key)
    if (refused !== undefined) {
      const waitMs = refused.nextMs - nowMs
      if (waitMs > maxWaitMs) return { allowed: false, remaining: 0, waitMs, resetMs: refused.allMs - nowMs }
      this.#refused.delete(key)
    }
    return new Promise((resolve, reject) => {
      const waiting = { maxWaitMs, resolve, reject }
      const together = this.#asking.get(key)
      if (together !== undefined) return void together.push(waiting)
      this.#asking.set(key, [waiting])
      void this.#ask(key)
    })
  }

  get #local (): Rates | undefined {
    const { otherwise } = this.#settings
    return typeof otherwise === 'string' ? undefined : otherwise
  }

  async #ask (key: string): Promise<void> {
    // The store is nobody's to read in: what clients sent, tokens among it, does not go there.
    const name = this.#settings.prefix + hash('sha256', key, 'base64url').slice(0, 22)
    for (let together = this.#asking.get(key)!; together.length > 0; together = this.#asking.get(key)!) {
      this.#asking.set(key, [])
      try {
        const { maxWaitMs } = together[0]!
        this.#settle(key, together, await this.#store.take(name, this.#spacing, together.length, maxWaitMs))
      } catch (error) {
        this.#fail(key, together, error)
      }
    }
    this.#asking.delete(key)
  }

  #settle (key: string, together: readonly Waiting[], grant: Grant): void {
    const { intervalMs, toleranceMs } = this.#spacing
    const verdicts = together.map((_, at) => verdictOf(grant, Math.min(at, grant.granted), intervalMs, toleranceMs + intervalMs))
    const refused = verdicts[grant.granted]
    if (refused !== undefined) this.#remember(key, refused)
    together.forEach(({ resolve }, at) => resolve(verdicts[at]))
  }

  #remember (key: string, { waitMs, resetMs }: RateVerdict): void {
    const nowMs = performance.now()
    if (this.#refused.size >= this.#settings.maxKeys) {
      const [oldest] = this.#refused.keys()
      if (oldest !== undefined) this.#refused.delete(oldest)
    }
    this.#refused.set(key, { nextMs: nowMs + waitMs, allMs: nowMs + resetMs })
  }

  #fail (key: string, together: readonly Waiting[], error: unknown): void {
    this.failed += together.length
    const { otherwise } = this.#settings
    for (const { resolve, reject, maxWaitMs } of together) {
      if (otherwise === 'open') resolve(undefined)
      else if (otherwise === 'closed') reject(new Fault('LIMIT_UNKNOWN', error instanceof Error ? error.message : undefined))
      else resolve(otherwise.take(key, performance.now(), maxWaitMs))
    }
  }
}
