import { randomBytes } from 'node:crypto'
import type { AgentReport, FromAgent, Metric, ToAgent } from '../proto/codec/index.ts'
import { MetricsRegistry } from './metrics.ts'

/** How an agent is, as it says itself. */
export interface Condition {
  /** It goes on deciding, but not as it should. `why` is for the operator: one sentence, no secrets. */
  degraded (why: string): void
  /** All is as it should be again. */
  well (): void
}

/** What a thread that runs handlers tells: why it is degraded, when it is, and what it counted. */
export interface ThreadVitals {
  readonly why: string | undefined
  readonly metrics: readonly Metric[]
}

/** What an agent process tells of itself: health, load, and figures of its own. */
export class Vitals implements Condition {
  readonly metrics = new MetricsRegistry()
  /** Questions that wait for somebody to work on them. */
  queued: () => number = () => 0
  readonly #instance = randomBytes(8).toString('hex')
  readonly #listeners = new Set<() => void>()
  /** Why threads are degraded that are. */
  readonly #troubles = new Map<object, string>()
  #health: 'serving' | 'degraded' | 'draining' = 'serving'
  #detail = ''
  #answered = 0
  #failed = 0
  #timed = 0
  #timedSeconds = 0

  degraded (why: string): void {
    this.#become('degraded', why)
  }

  well (): void {
    this.#become('serving', '')
  }

  draining (): void {
    this.#become('draining', 'it is about to stop')
  }

  /** Hears of every change of health. Returns how to hear no more. */
  onChange (listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** What a thread says that runs handlers of this agent. */
  absorb (source: object, { why, metrics }: ThreadVitals): void {
    this.metrics.absorb(source, metrics)
    if (why === this.#troubles.get(source)) return
    if (why === undefined) this.#troubles.delete(source)
    else this.#troubles.set(source, why)
    this.#tell()
  }

  /** The thread is gone. */
  forget (source: object): void {
    this.metrics.forget(source)
    if (this.#troubles.delete(source)) this.#tell()
  }

  /** What a thread has to say since then. */
  tellSince (mark: number): ThreadVitals {
    return { why: this.#health === 'degraded' ? this.#detail : undefined, metrics: this.metrics.since(mark) }
  }

  /** Watches one stream. Timing one question at a time costs nothing that could be measured. */
  watch (): { heard (message: ToAgent): void, said (message: FromAgent): void } {
    let exchange = 0
    let sequence = 0
    let sinceMs = 0
    let untilMs = 0
    return {
      heard: ({ events }) => {
        const last = events.at(-1)
        if (last === undefined || last.timeoutMs === 0) return
        const nowMs = performance.now()
        if (exchange > 0 && nowMs < untilMs) return
        exchange = last.exchange
        sequence = last.sequence
        sinceMs = nowMs
        untilMs = nowMs + last.timeoutMs
      },
      said: ({ replies }) => {
        for (const reply of replies) {
          if (reply.kind === 'more_time' || reply.kind === 'credit') continue
          this.#answered++
          if (reply.kind === 'error') this.#failed++
          if (reply.exchange !== exchange || reply.sequence !== sequence) continue
          exchange = 0
          this.#timed++
          this.#timedSeconds += (performance.now() - sinceMs) / 1000
        }
      },
    }
  }

  /** `mark`: what was told of metrics already. */
  report (openExchanges: number, configVersion: string, mark: number): AgentReport {
    return {
      instance: this.#instance, ...this.#condition, openExchanges, queued: this.queued(),
      answered: this.#answered, failed: this.#failed, timed: this.#timed, timedSeconds: this.#timedSeconds,
      configVersion, metrics: this.metrics.since(mark),
    }
  }

  get #condition (): Pick<AgentReport, 'health' | 'detail'> {
    const [trouble] = this.#troubles.values()
    return this.#health === 'serving' && trouble !== undefined ? { health: 'degraded', detail: trouble } : { health: this.#health, detail: this.#detail }
  }

  #tell (): void {
    for (const listener of this.#listeners) listener()
  }

  #become (health: 'serving' | 'degraded' | 'draining', detail: string): void {
    if (this.#health === 'draining' || (this.#health === health && this.#detail === detail)) return
    this.#health = health
    this.#detail = detail.slice(0, 200)
    this.#tell()
  }
}
