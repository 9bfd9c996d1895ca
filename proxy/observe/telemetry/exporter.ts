import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../log.ts'
import type { Carrier, Outcome } from './delivery.ts'
import type { Span } from './span.ts'

/** What became of spans. `left-out`: too many were waiting; `refused`: the collector did not want them; `lost`: it could not be reached for too long. */
export type Fate = 'sent' | 'left-out' | 'refused' | 'lost'

export interface ExporterOptions {
  readonly carrier: Carrier
  readonly encode: (spans: readonly Span[]) => Buffer
  readonly count: (fate: Fate, spans: number) => void
  readonly log: Log
  /** Pauses between tries of one delivery; for tests. */
  readonly backOffMs?: readonly number[]
}

const mostInBatch = 512
/** About 4 MB of spans, in each process that serves. */
export const mostWaiting = 4_096
/** A batch that is not full waits so long for more. */
const delayMs = 1_000
/** Together about a minute: a collector that is restarted loses nothing. */
const defaultBackOffMs = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 20_000]
/** The end of the process, or of the configuration, waits no longer for what is left. */
export const flushMs = 2_000

/** Spans on their way to the collector: one delivery at a time, and a bounded number that wait. Nobody waits for it. */
export class SpanExporter {
  readonly #options: ExporterOptions
  readonly #waiting: Span[] = []
  readonly #backOffMs: readonly number[]
  readonly #stop = new AbortController()
  /** Pauses end: it closes. */
  readonly #hurry = new AbortController()
  #timer: NodeJS.Timeout | undefined = undefined
  #running: Promise<void> | undefined = undefined
  #failing = false
  #closed: Promise<void> | undefined = undefined

  constructor (options: ExporterOptions) {
    this.#options = options
    this.#backOffMs = options.backOffMs ?? defaultBackOffMs
  }

  add (spans: readonly Span[]): void {
    const room = this.#closed === undefined ? Math.max(0, mostWaiting - this.#waiting.length) : 0
    const taken = spans.length <= room ? spans : spans.slice(spans.length - room)
    // The last of an exchange is its own span, without which the others say little.
    if (room > 0) this.#waiting.push(...taken)
    if (room < spans.length) this.#options.count('left-out', spans.length - room)
    if (this.#waiting.length >= mostInBatch) this.#run()
    else if (this.#waiting.length > 0) this.#timer ??= setTimeout(() => this.#run(), delayMs).unref()
  }

  /** Sends what is left, as far as `flushMs` allow. */
  close (): Promise<void> {
    return this.#closed ??= this.#close()
  }

  async #close (): Promise<void> {
    const cut = setTimeout(() => this.#stop.abort(), flushMs)
    this.#hurry.abort()
    await this.#running
    this.#run()
    await this.#running
    clearTimeout(cut)
    clearTimeout(this.#timer)
    if (this.#waiting.length > 0) this.#options.count('lost', this.#waiting.length)
    this.#options.carrier.close()
  }

  #run (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#running ??= this.#deliverAll().finally(() => { this.#running = undefined })
  }

  async #deliverAll (): Promise<void> {
    while (this.#waiting.length > 0 && !this.#stop.signal.aborted) await this.#deliver(this.#waiting.splice(0, mostInBatch))
  }

  async #deliver (spans: readonly Span[]): Promise<void> {
    const { carrier, encode, count } = this.#options
    const body = encode(spans)
    for (let tries = 0; ; tries++) {
      const outcome = await carrier.send(body, this.#stop.signal)
      this.#tell(outcome)
      if (outcome.kind === 'taken') {
        const rejected = Math.min(outcome.rejected, spans.length)
        if (rejected > 0) count('refused', rejected)
        return count('sent', spans.length - rejected)
      }
      if (outcome.kind === 'refused') return count('refused', spans.length)
      const pauseMs = this.#backOffMs[tries]
      // There is no time left to try it again.
      if (pauseMs === undefined || this.#closed !== undefined) return count('lost', spans.length)
      await sleep(Math.max(pauseMs * (0.5 + Math.random()), outcome.afterMs ?? 0), undefined, { signal: this.#hurry.signal, ref: false }).catch(() => {})
    }
  }

  /** Said when it begins and when it ends, not for each delivery. */
  #tell (outcome: Outcome): void {
    const { log } = this.#options
    const well = outcome.kind === 'taken' && outcome.rejected === 0
    if (!well && !this.#failing) log.warn(`spans do not reach the collector: ${outcome.why}`, { event: 'traces-failing' })
    if (well && this.#failing) log.info('spans reach the collector again', { event: 'traces-recovered' })
    this.#failing = !well
  }
}
