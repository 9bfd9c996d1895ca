import { Breaker, type BreakerSettings } from '../../pipeline/breaker.ts'
import { Outliers, type Ejection, type OutlierSettings } from '../outliers.ts'
import { nameOf, type TargetSettings } from '../target.ts'
import { startChecks, type Checker } from './checker.ts'
import type { Evidence, JudgedBit, TargetOrder } from './evidence.ts'
import type { CheckResult, CheckSettings, Reach } from './settings.ts'
import { afterCheck, unchecked, type Verdict } from './verdict.ts'

export interface HealthPlan {
  readonly upstream: string
  readonly targets: readonly TargetSettings[]
  readonly check: { readonly reach: Reach, readonly settings: CheckSettings } | undefined
  readonly outliers: OutlierSettings | undefined
  /** One for each target. */
  readonly breaker: BreakerSettings | undefined
}

export type HealthEvent =
  | 'target-up' | 'target-down' | 'target-degraded' | 'target-ejected' | 'target-returned' | 'target-drained' | 'target-undrained'
  | 'breaker-open' | 'breaker-half-open' | 'breaker-closed'

export interface HealthChange {
  readonly event: HealthEvent
  readonly upstream: string
  readonly target: string
  readonly why: string
}

export interface HealthListener {
  order (order: TargetOrder): void
  changed (change: HealthChange): void
  checked (upstream: string, target: string, result: CheckResult): void
}

/** What is known of a target: for status, metrics and operators. */
export interface TargetHealth {
  readonly name: string
  /** Why it is not asked; empty when it is. */
  readonly reasons: ReadonlyArray<JudgedBit>
  /** `undefined`: it has none. */
  readonly breaker: 'closed' | 'open' | 'half-open' | undefined
  /** Of the last check; `undefined` when there was none. */
  readonly healthy: boolean | undefined
  readonly degraded: boolean
  /** Of the last change. */
  readonly why: string
  readonly since: Date
}

interface Judged {
  readonly name: string
  verdict: Verdict
  degraded: boolean
  ejected: boolean
  breaker: Breaker | undefined
  why: string
  since: Date
  /** As it was told last. */
  told: string
}

/** Share of a target that works, but is at the edge of what it can do. */
const degradedShare = 0.5

/** Judges the targets of one upstream: by checks, by how tries went, and by what the operator says. */
export class UpstreamHealth {
  readonly #listener: HealthListener
  readonly #drained = new Set<string>()
  #plan: HealthPlan
  /** In place of those that the configuration lists: somebody found them. */
  #found: readonly TargetSettings[] | undefined
  #judged = new Map<string, Judged>()
  #checker: Checker | undefined
  #checkKey = ''
  #outliers: Outliers | undefined
  #outliersKey = ''
  #timer: NodeJS.Timeout | undefined

  constructor (plan: HealthPlan, listener: HealthListener) {
    this.#listener = listener
    this.#plan = plan
    this.adopt(plan)
  }

  /** Takes over another plan. What is known stays known, and checks that would be the same go on. */
  adopt (next: HealthPlan): void {
    if (JSON.stringify(next.targets) !== JSON.stringify(this.#plan.targets)) this.#found = undefined
    this.#plan = next
    this.#judgeBy({ ...next, targets: this.#found ?? next.targets })
  }

  /** The targets have become others: somebody found so. They stay so until the configuration lists others. */
  retarget (targets: readonly TargetSettings[]): void {
    this.#found = targets
    this.#judgeBy({ ...this.#plan, targets })
  }

  #judgeBy (plan: HealthPlan): void {
    this.#list(plan.targets)
    for (const judged of this.#judged.values()) {
      if (plan.breaker === undefined) judged.breaker = undefined
      else if (judged.breaker === undefined) judged.breaker = new Breaker(plan.breaker)
      else judged.breaker.settings = plan.breaker
    }
    this.#adoptOutliers(plan.outliers)
    this.#adoptChecks(plan)
    this.#tellAll()
  }

  heard ({ target, probe, ...tally }: Evidence): void {
    const judged = this.#judged.get(target)
    if (judged === undefined) return
    const nowMs = performance.now()
    const { breaker } = judged
    // What was sent before it opened says nothing about how the target is since.
    if (breaker !== undefined && (probe || breaker.state === 'closed')) {
      const wasHalfOpen = breaker.state === 'half-open'
      if (breaker.note(tally, nowMs)) this.#breakerChanged(judged, wasHalfOpen)
    }
    const ejection = this.#outliers?.note(target, tally, nowMs)
    if (ejection !== undefined) this.#ejectionChanged(ejection)
    this.#tell(judged)
    this.#schedule()
  }

  /** False when there is no such target. */
  drain (target: string, on: boolean): boolean {
    const judged = this.#judged.get(target)
    if (judged === undefined) return false
    if (this.#drained.has(target) === on) return true
    if (on) this.#drained.add(target)
    else this.#drained.delete(target)
    this.#change(judged, on ? 'target-drained' : 'target-undrained', on ? 'the operator took it out' : 'the operator put it back')
    this.#tell(judged)
    return true
  }

  state (): TargetHealth[] {
    return [...this.#judged.values()].map((judged) => ({
      name: judged.name, reasons: this.#reasons(judged), breaker: judged.breaker?.state, healthy: judged.verdict.healthy,
      degraded: judged.degraded, why: judged.why, since: judged.since,
    }))
  }

  /** For somebody who has heard nothing yet. */
  orders (): TargetOrder[] {
    return [...this.#judged.values()].map((judged) => this.#orderFor(judged))
  }

  close (): void {
    this.#checker?.close()
    clearTimeout(this.#timer)
  }

  #list (targets: readonly TargetSettings[]): void {
    const before = this.#judged
    this.#judged = new Map(targets.map((settings) => {
      const name = nameOf(settings)
      return [name, before.get(name) ?? {
        name, verdict: unchecked, degraded: false, ejected: false, breaker: undefined, why: '', since: new Date(), told: '',
      }]
    }))
  }

  #adoptOutliers (settings: OutlierSettings | undefined): void {
    const key = settings === undefined ? '' : JSON.stringify(settings)
    if (key === this.#outliersKey) return this.#outliers?.retarget([...this.#judged.keys()])
    this.#outliersKey = key
    for (const judged of this.#judged.values()) {
      if (judged.ejected) this.#ejectionChanged({ target: judged.name, ejected: false, why: 'the settings changed' })
    }
    const names = [...this.#judged.keys()]
    this.#outliers = settings === undefined ? undefined : new Outliers(settings, names, performance.now(), (target) => this.#isLast(target))
    this.#schedule()
  }

  #adoptChecks ({ check, targets }: HealthPlan): void {
    const key = check === undefined ? '' : JSON.stringify([check.reach, check.settings])
    if (key === this.#checkKey) return this.#checker?.retarget(targets)
    this.#checkKey = key
    this.#checker?.close()
    if (check !== undefined) {
      this.#checker = startChecks({ reach: check.reach, check: check.settings, targets }, (target, result) => this.#checked(target, result))
      return
    }
    this.#checker = undefined
    for (const judged of this.#judged.values()) {
      const wasDown = judged.verdict.healthy === false
      judged.verdict = unchecked
      judged.degraded = false
      if (wasDown) this.#change(judged, 'target-up', 'it is not checked any more')
    }
  }

  #checked (target: string, result: CheckResult): void {
    const judged = this.#judged.get(target)
    const { check } = this.#plan
    if (judged === undefined || check === undefined) return
    const { healthy } = judged.verdict
    const { degraded } = judged
    judged.verdict = afterCheck(judged.verdict, result.healthy, check.settings)
    judged.degraded = result.healthy && result.degraded
    this.#listener.checked(this.#plan.upstream, target, result)
    if (judged.verdict.healthy === false && healthy !== false) this.#change(judged, 'target-down', result.why)
    else if (judged.verdict.healthy === true && healthy === false) this.#change(judged, 'target-up', result.why)
    else if (judged.degraded && !degraded) this.#change(judged, 'target-degraded', result.why)
    else if (!judged.degraded && degraded && result.healthy) this.#change(judged, 'target-up', result.why)
    this.#tell(judged)
  }

  /** Whether all others are out for some reason. */
  #isLast (target: string): boolean {
    return [...this.#judged.values()].every((judged) => judged.name === target || this.#reasons(judged).length > 0)
  }

  #breakerChanged (judged: Judged, wasHalfOpen: boolean): void {
    const { failureThreshold, successThreshold, timeoutMs } = judged.breaker!.settings
    if (judged.breaker!.state === 'closed') return this.#change(judged, 'breaker-closed', `${successThreshold} probes in a row went well`)
    const failures = wasHalfOpen ? 'a probe failed' : `${failureThreshold} failures in a row`
    this.#change(judged, 'breaker-open', `${failures}; it is left alone for ${timeoutMs / 1000} s`)
  }

  #ejectionChanged ({ target, ejected, why }: Ejection): void {
    const judged = this.#judged.get(target)
    if (judged === undefined) return
    judged.ejected = ejected
    this.#change(judged, ejected ? 'target-ejected' : 'target-returned', why)
  }

  #change (judged: Judged, event: HealthEvent, why: string): void {
    judged.why = why
    judged.since = new Date()
    this.#listener.changed({ event, upstream: this.#plan.upstream, target: judged.name, why })
  }

  #reasons ({ name, verdict, ejected, breaker }: Judged): JudgedBit[] {
    const reasons: JudgedBit[] = []
    if (verdict.healthy === false) reasons.push('down')
    if (ejected) reasons.push('ejected')
    if (breaker?.state === 'open') reasons.push('open')
    if (this.#drained.has(name)) reasons.push('drained')
    return reasons
  }

  #orderFor (judged: Judged): TargetOrder {
    const { breaker } = judged
    const halfOpen = breaker?.state === 'half-open'
    return {
      upstream: this.#plan.upstream, target: judged.name, reasons: this.#reasons(judged),
      probes: halfOpen ? breaker.settings.halfOpenMaxRequests : undefined,
      attentive: breaker !== undefined && breaker.streak > 0 || halfOpen || this.#outliers?.isCounting(judged.name) === true,
      share: judged.degraded ? degradedShare : 1,
      retryMs: breaker?.state === 'open' ? Math.max(0, breaker.dueMs - performance.now()) : 0,
    }
  }

  #tell (judged: Judged): void {
    const order = this.#orderFor(judged)
    // Time goes by without being told.
    const text = JSON.stringify({ ...order, retryMs: undefined })
    if (text === judged.told) return
    judged.told = text
    this.#listener.order(order)
  }

  #tellAll (): void {
    for (const judged of this.#judged.values()) this.#tell(judged)
  }

  /** One timer, for whatever comes first. */
  #schedule (): void {
    clearTimeout(this.#timer)
    const dueMs = Math.min(this.#outliers?.dueMs ?? Infinity, ...[...this.#judged.values()].map(({ breaker }) => breaker?.dueMs ?? Infinity))
    if (dueMs === Infinity) return
    this.#timer = setTimeout(() => this.#due(), Math.min(maxTimerMs, Math.max(1, dueMs - performance.now()))).unref()
  }

  #due (): void {
    const nowMs = performance.now()
    for (const judged of this.#judged.values()) {
      if (judged.breaker?.wake(nowMs) === true) this.#change(judged, 'breaker-half-open', 'it is tried again')
    }
    for (const change of this.#outliers?.due(nowMs) ?? []) this.#ejectionChanged(change)
    this.#tellAll()
    this.#schedule()
  }
}

/** Timers of Node.js go no further. */
const maxTimerMs = 2_147_483_647
