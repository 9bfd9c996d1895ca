import { Breaker, type BreakerSettings } from '../../pipeline/breaker.ts'
import type { TargetSettings } from '../target.ts'
import type { Evidence, GateEvidence, GateOrder, TargetOrder } from './evidence.ts'
import type { CheckResult } from './settings.ts'
import { UpstreamHealth, type HealthChange, type HealthPlan, type TargetHealth } from './upstream-health.ts'

/** A breaker in front of a whole: "upstream NAME" or "route NAME". */
export interface GatePlan {
  readonly gate: string
  readonly breaker: BreakerSettings
}

export interface HealthEvents {
  order (order: TargetOrder): void
  gateOrder (order: GateOrder): void
  changed (change: HealthChange): void
  /** A gate has no targets. */
  gateChanged (gate: string, state: Breaker['state'], why: string): void
  checked (upstream: string, target: string, result: CheckResult): void
}

/** Who judges: one for all who ask, whatever process they are in. It outlives configurations. */
export class Health {
  readonly #events: HealthEvents
  readonly #upstreams = new Map<string, UpstreamHealth>()
  readonly #gates = new Map<string, { readonly breaker: Breaker, timer: NodeJS.Timeout | undefined }>()

  constructor (events: HealthEvents) {
    this.#events = events
  }

  /** Takes over another configuration. Of what stays, all that is known stays known. */
  use (plans: readonly HealthPlan[], gates: readonly GatePlan[]): void {
    const wanted = new Set(plans.map(({ upstream }) => upstream))
    for (const [id, health] of this.#upstreams) {
      if (wanted.has(id)) continue
      health.close()
      this.#upstreams.delete(id)
    }
    for (const plan of plans) {
      const known = this.#upstreams.get(plan.upstream)
      if (known === undefined) this.#upstreams.set(plan.upstream, new UpstreamHealth(plan, this.#events))
      else known.adopt(plan)
    }
    this.#useGates(gates)
  }

  retarget (upstream: string, targets: readonly TargetSettings[]): void {
    this.#upstreams.get(upstream)?.retarget(targets)
  }

  heard (evidence: Evidence): void {
    this.#upstreams.get(evidence.upstream)?.heard(evidence)
  }

  heardAt ({ gate: name, probe, ok, failed }: GateEvidence): void {
    const gate = this.#gates.get(name)
    if (gate === undefined || gate.breaker.state !== 'closed' && !probe) return
    const wasHalfOpen = gate.breaker.state === 'half-open'
    const counted = gate.breaker.streak > 0
    if (gate.breaker.note({ ok, failed }, performance.now())) this.#gateChanged(name, wasHalfOpen)
    else if (counted !== gate.breaker.streak > 0) this.#events.gateOrder(this.#gateOrder(name))
  }

  /** False when there is no such target. Its exchanges finish; new ones go elsewhere, until it is put back. */
  drain (upstream: string, target: string, on: boolean): boolean {
    return this.#upstreams.get(upstream)?.drain(target, on) ?? false
  }

  state (): ReadonlyMap<string, TargetHealth[]> {
    return new Map([...this.#upstreams].map(([id, health]) => [id, health.state()]))
  }

  gates (): ReadonlyMap<string, Breaker['state']> {
    return new Map([...this.#gates].map(([name, { breaker }]) => [name, breaker.state]))
  }

  /** All there is to say to somebody who has heard nothing yet. */
  orders (): { readonly targets: TargetOrder[], readonly gates: GateOrder[] } {
    return { targets: [...this.#upstreams.values()].flatMap((health) => health.orders()), gates: [...this.#gates.keys()].map((name) => this.#gateOrder(name)) }
  }

  close (): void {
    this.use([], [])
  }

  #useGates (plans: readonly GatePlan[]): void {
    for (const [name, { timer }] of this.#gates) {
      if (plans.some(({ gate }) => gate === name)) continue
      clearTimeout(timer)
      this.#gates.delete(name)
      this.#events.gateOrder({ gate: name, open: false, probes: undefined, attentive: false, retryMs: 0 })
    }
    for (const { gate, breaker } of plans) {
      const known = this.#gates.get(gate)
      if (known !== undefined) known.breaker.settings = breaker
      else this.#gates.set(gate, { breaker: new Breaker(breaker), timer: undefined })
    }
  }

  #gateChanged (name: string, wasHalfOpen: boolean): void {
    const gate = this.#gates.get(name)!
    const { state, settings: { failureThreshold, successThreshold, timeoutMs } } = gate.breaker
    clearTimeout(gate.timer)
    if (state === 'open') {
      gate.timer = setTimeout(() => {
        if (!gate.breaker.wake(performance.now() + 1)) return
        this.#events.gateChanged(name, 'half-open', 'it is tried again')
        this.#events.gateOrder(this.#gateOrder(name))
      }, timeoutMs).unref()
    }
    const failures = wasHalfOpen ? 'a probe failed' : `${failureThreshold} failures in a row`
    this.#events.gateChanged(name, state, state === 'closed' ? `${successThreshold} probes in a row went well` : `${failures}; it is left alone for ${timeoutMs / 1000} s`)
    this.#events.gateOrder(this.#gateOrder(name))
  }

  #gateOrder (name: string): GateOrder {
    const { breaker } = this.#gates.get(name)!
    const { state, streak, dueMs, settings } = breaker
    return {
      gate: name, open: state === 'open', probes: state === 'half-open' ? settings.halfOpenMaxRequests : undefined,
      attentive: streak > 0 || state === 'half-open', retryMs: state === 'open' ? Math.max(0, dueMs - performance.now()) : 0,
    }
  }
}
