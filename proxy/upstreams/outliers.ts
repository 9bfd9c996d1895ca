import { medianOf } from './health/warmth.ts'

export interface OutlierSettings {
  /** Failures in a row (no answer, or 5xx); 0 = not looked at. */
  readonly consecutiveErrors: number
  /** Of those without an answer of the application itself: no answer, 502, 503, 504; 0 = not looked at. */
  readonly consecutiveGatewayErrors: number
  /** Share of failures in an interval, in percent; `undefined` = not looked at. */
  readonly errorRate: number | undefined
  /** Mean time of the answers of an interval; `undefined` = not looked at. */
  readonly maxLatencyMs: number | undefined
  /** The same, against the median of all targets. */
  readonly latencyFactor: number | undefined
  /** Tries of an interval without which rates and times say nothing. */
  readonly minRequests: number
  readonly intervalMs: number
  readonly baseEjectionMs: number
  readonly maxEjectionMs: number
  /** Of the targets, in percent. One of several may always be ejected, the last one never. */
  readonly maxEjectionPercent: number
}

/** What is known of tries at one target. */
export interface Tally {
  readonly ok: number
  readonly failed: number
  /** Among the failed. */
  readonly gateway: number
  /** Milliseconds of all answers together, and how many there were. */
  readonly answerMs: number
  readonly answers: number
}

export interface Ejection {
  readonly target: string
  readonly ejected: boolean
  readonly why: string
}

interface Watched {
  errors: number
  gatewayErrors: number
  /** Of this interval. */
  ok: number
  failed: number
  answerMs: number
  answers: number
  /** Ejections, less one for each interval without; the next one lasts so much longer. */
  repeats: number
  ejectedUntilMs: number
}

const fresh: Watched = { errors: 0, gatewayErrors: 0, ok: 0, failed: 0, answerMs: 0, answers: 0, repeats: 0, ejectedUntilMs: 0 }

/** Finds the targets that answer worse than they should, and takes them out for a while: longer each time, and never so many that the others could not bear it. */
export class Outliers {
  readonly #settings: OutlierSettings
  readonly #watched = new Map<string, Watched>()
  readonly #isLast: (target: string) => boolean
  #intervalEndsMs: number

  /** `isLast`: whether nobody else could be asked any more, for whatever reason. */
  constructor (settings: OutlierSettings, targets: readonly string[], nowMs: number, isLast: (target: string) => boolean = () => false) {
    this.#settings = settings
    this.#isLast = isLast
    this.#intervalEndsMs = nowMs + settings.intervalMs
    this.retarget(targets)
  }

  /** When `due` has something to do: the end of the interval, or of an ejection. */
  get dueMs (): number {
    let dueMs = this.#intervalEndsMs
    for (const { ejectedUntilMs } of this.#watched.values()) if (ejectedUntilMs < dueMs && ejectedUntilMs > 0) dueMs = ejectedUntilMs
    return dueMs
  }

  retarget (targets: readonly string[]): void {
    for (const name of this.#watched.keys()) if (!targets.includes(name)) this.#watched.delete(name)
    for (const name of targets) {
      if (!this.#watched.has(name)) this.#watched.set(name, { ...fresh })
    }
  }

  /** A good try would end a row of failures. */
  isCounting (target: string): boolean {
    const watched = this.#watched.get(target)
    return watched !== undefined && watched.ejectedUntilMs === 0 && watched.errors > 0
  }

  note (target: string, tally: Tally, nowMs: number): Ejection | undefined {
    const watched = this.#watched.get(target)
    if (watched === undefined) return undefined
    const { ok, failed, gateway } = tally
    watched.ok += ok
    watched.failed += failed
    watched.answerMs += tally.answerMs
    watched.answers += tally.answers
    // Good ones came first, those that failed with an answer of the application before those without.
    watched.errors = ok > 0 ? failed : watched.errors + failed
    watched.gatewayErrors = ok > 0 || failed > gateway ? gateway : watched.gatewayErrors + gateway
    const { consecutiveErrors, consecutiveGatewayErrors } = this.#settings
    if (consecutiveErrors > 0 && watched.errors >= consecutiveErrors) return this.#eject(target, watched, `${watched.errors} failures in a row`, nowMs)
    if (consecutiveGatewayErrors > 0 && watched.gatewayErrors >= consecutiveGatewayErrors) {
      return this.#eject(target, watched, `${watched.gatewayErrors} gateway failures in a row`, nowMs)
    }
    return undefined
  }

  /** What time brings: ejections end, and an interval is looked at when it is over. */
  due (nowMs: number): Ejection[] {
    const changes: Ejection[] = []
    for (const [target, watched] of this.#watched) {
      if (watched.ejectedUntilMs === 0 || nowMs < watched.ejectedUntilMs) continue
      watched.ejectedUntilMs = 0
      watched.errors = watched.gatewayErrors = 0
      changes.push({ target, ejected: false, why: 'its time outside is over' })
    }
    if (nowMs < this.#intervalEndsMs) return changes
    this.#intervalEndsMs = nowMs + this.#settings.intervalMs
    const usualMs = this.#usualMs()
    for (const [target, watched] of this.#watched) {
      const why = watched.ejectedUntilMs > 0 ? undefined : this.#worse(watched, usualMs)
      const change = why === undefined ? undefined : this.#eject(target, watched, why, nowMs)
      if (change !== undefined) changes.push(change)
      else if (watched.ejectedUntilMs === 0 && watched.repeats > 0) watched.repeats--
      watched.ok = watched.failed = watched.answerMs = watched.answers = 0
    }
    return changes
  }

  #worse ({ ok, failed, answerMs, answers }: Watched, usualMs: number): string | undefined {
    const { errorRate, maxLatencyMs, latencyFactor, minRequests } = this.#settings
    const tries = ok + failed
    if (tries < minRequests) return undefined
    const percent = failed / tries * 100
    if (errorRate !== undefined && percent >= errorRate) return `${Math.round(percent)} % of ${tries} tries failed`
    const meanMs = answerMs / answers
    if (maxLatencyMs !== undefined && meanMs > maxLatencyMs) return `answers took ${Math.round(meanMs)} ms in the mean`
    if (latencyFactor !== undefined && meanMs > usualMs * latencyFactor) return `answers took ${Math.round(meanMs)} ms in the mean, those of others ${Math.round(usualMs)} ms`
    return undefined
  }

  /** What is usual: the median; of two, the faster one. Alone, a target has nobody to be measured against. */
  #usualMs (): number {
    const { minRequests } = this.#settings
    const telling = [...this.#watched.values()].filter(({ ok, failed, answers }) => answers > 0 && ok + failed >= minRequests)
    const means = telling.map(({ answerMs, answers }) => answerMs / answers)
    return means.length < 2 ? Infinity : medianOf(means.length === 2 ? [Math.min(...means)] : means)
  }

  #eject (target: string, watched: Watched, why: string, nowMs: number): Ejection | undefined {
    if (watched.ejectedUntilMs > 0 || !this.#mayEjectOneMore() || this.#isLast(target)) return undefined
    const { baseEjectionMs, maxEjectionMs } = this.#settings
    watched.repeats++
    watched.ejectedUntilMs = nowMs + Math.min(maxEjectionMs, baseEjectionMs * watched.repeats)
    return { target, ejected: true, why }
  }

  #mayEjectOneMore (): boolean {
    const all = this.#watched.size
    const out = [...this.#watched.values()].filter(({ ejectedUntilMs }) => ejectedUntilMs > 0).length
    return out < Math.min(all - 1, Math.max(1, Math.floor(all * this.#settings.maxEjectionPercent / 100)))
  }
}
