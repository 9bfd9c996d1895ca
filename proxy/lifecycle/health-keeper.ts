import type { Log } from '../observe/log.ts'
import type { Metrics } from '../observe/metrics.ts'
import type { MetricTable } from '../observe/metrics-table.ts'
import {
  Health, type Evidence, type GateEvidence, type HealthChange, type HealthOrders, type TargetHealth, type TargetSettings,
} from '../upstreams/index.ts'
import { breakerValues, type HealthPlans } from './health-plans.ts'
import type { Judge } from './health-follower.ts'
import { labelsOf as scopeLabels } from './scope-rules.ts'

interface KeeperSurroundings {
  readonly log: Log
  readonly metrics: Metrics
  /** Those who ask targets are told. */
  readonly tell: (orders: HealthOrders) => void
}

/** Changes that an operator wants to wake up for. */
const bad: ReadonlySet<HealthChange['event']> = new Set(['target-down', 'target-degraded', 'target-ejected', 'breaker-open'])

/** The side of main: judges, and says in log and metrics what it came to. */
export class HealthKeeper implements Judge {
  readonly #health: Health
  readonly #log: Log
  #scopes: HealthPlans['scopes'] = new Map()

  constructor ({ log, metrics, tell }: KeeperSurroundings) {
    this.#log = log.child({ component: 'health' })
    const { table } = metrics
    this.#health = new Health({
      order: (order) => tell({ targets: [order], gates: [] }),
      gateOrder: (order) => tell({ targets: [], gates: [order] }),
      changed: (change) => {
        this.#say(change)
        if (change.event === 'target-ejected') table.targetEjections.cell(change.upstream, change.target).add()
        if (change.event === 'breaker-open') table.breakerOpenings.cell('target', change.upstream, change.target).add()
      },
      gateChanged: (gate, state, why) => {
        this.#log[state === 'open' ? 'warn' : 'info'](`circuit breaker of ${gate}: ${state}: ${why}`, { event: `breaker-${state}`, gate })
        if (state === 'open') table.breakerOpenings.cell(...labelsOf(gate)).add()
      },
      checked: (upstream, target, { healthy, ms }) => {
        table.healthChecks.cell(upstream, target, healthy ? 'success' : 'failure').add()
        table.healthCheckDuration.cell(upstream).observe(ms / 1_000)
      },
    })
    metrics.onScrape((now) => this.#tell(now))
  }

  /** Judges by these from now on. */
  use ({ plans, gates, scopes }: HealthPlans): void {
    this.#scopes = scopes
    this.#health.use(plans, gates)
  }

  /** The targets of an upstream have become others. To be said after those who ask them know. */
  retarget (upstream: string, targets: readonly TargetSettings[]): void {
    this.#health.retarget(upstream, targets)
  }

  heard (evidence: Evidence): void {
    this.#health.heard(evidence)
  }

  heardAt (evidence: GateEvidence): void {
    this.#health.heardAt(evidence)
  }

  /** Takes a target out, or puts it back. False when there is no such target. */
  /** What the operator took out. */
  get drained (): Array<readonly [upstream: string, target: string]> {
    return [...this.#health.state()].flatMap(([upstream, targets]) =>
      targets.filter(({ reasons }) => reasons.includes('drained')).map(({ name }) => [upstream, name] as const))
  }

  drain (upstream: string, target: string, on: boolean): boolean {
    return this.#health.drain(upstream, target, on)
  }

  /** All that is to be said, for somebody who has heard nothing yet. */
  orders (): HealthOrders {
    return this.#health.orders()
  }

  state (): ReadonlyMap<string, readonly TargetHealth[]> {
    return this.#health.state()
  }

  close (): void {
    this.#health.close()
  }

  #say ({ event, upstream, target, why }: HealthChange): void {
    this.#log[bad.has(event) ? 'warn' : 'info'](`upstream '${upstream}', target ${target}: ${event.replace(/^(target|breaker)-/, '')}: ${why}`, { event, upstream, target, why })
  }

  #tell (table: MetricTable): void {
    const { targetUp, breakerState } = table
    targetUp.clear()
    breakerState.clear()
    table.scopedBreakerState.clear()
    for (const [upstream, targets] of this.#health.state()) {
      for (const { name, reasons, breaker } of targets) {
        targetUp.cell(upstream, name).set(reasons.length === 0 ? 1 : 0)
        if (breaker === undefined) continue
        breakerState.cell('target', upstream, name).set(breakerValues[breaker])
        this.#tellScoped(table, `upstream ${upstream}`, 'target', breakerValues[breaker])
      }
    }
    for (const [gate, state] of this.#health.gates()) {
      breakerState.cell(...labelsOf(gate)).set(breakerValues[state])
      this.#tellScoped(table, gate, labelsOf(gate)[0], breakerValues[state])
    }
  }

  #tellScoped ({ scopedBreakerState }: MetricTable, gate: string, what: string, value: number): void {
    const scope = this.#scopes.get(gate)
    if (scope === undefined) return
    const cell = scopedBreakerState.cell(...scopeLabels(scope), what, labelsOf(gate)[1])
    cell.set(Math.max(cell.value, value))
  }
}

/** "upstream app" or "route app": what it is, its name, and no target. */
function labelsOf (gate: string): [scope: string, name: string, target: string] {
  const space = gate.indexOf(' ')
  return [gate.slice(0, space), gate.slice(space + 1), '']
}
