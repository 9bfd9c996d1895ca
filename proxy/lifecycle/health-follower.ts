import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { Gate, TargetWatch, type Evidence, type GateEvidence, type GateOrder, type GateSettings, type TargetOrder, type Upstream } from '../upstreams/index.ts'
import { watchOf } from './health-plans.ts'

/** Who judges. */
export interface Judge {
  heard (evidence: Evidence): void
  heardAt (evidence: GateEvidence): void
}

/** The side of the data path: tells the judge how exchanges end, and treats targets as the judge says. */
export class HealthFollower {
  readonly #judge: Judge
  readonly #watches = new Map<string, { readonly upstream: Upstream, readonly watch: TargetWatch }>()
  readonly #gates = new Map<string, Gate>()

  constructor (judge: Judge) {
    this.#judge = judge
  }

  /** The same as long as some configuration has it. */
  gate (settings: GateSettings): Gate {
    const known = this.#gates.get(settings.gate)
    const gate = known ?? new Gate(settings, (evidence) => this.#judge.heardAt(evidence))
    gate.configure(settings)
    this.#gates.set(settings.gate, gate)
    return gate
  }

  /** These are the upstreams from now on. */
  follow (config: SentinelConfig, upstreams: ReadonlyMap<string, Upstream>): void {
    for (const [id, { upstream, watch }] of this.#watches) {
      if (upstreams.get(id) === upstream) continue
      watch.close()
      this.#watches.delete(id)
    }
    for (const one of config.upstreams) {
      const upstream = upstreams.get(one.id)
      if (upstream === undefined) continue
      const { watch } = this.#watches.get(one.id) ?? { watch: new TargetWatch(upstream.set, (evidence) => this.#judge.heard(evidence)) }
      watch.configure(watchOf(one))
      this.#watches.set(one.id, { upstream, watch })
    }
  }

  obey (order: TargetOrder): void {
    this.#watches.get(order.upstream)?.watch.obey(order)
  }

  obeyAt (order: GateOrder): void {
    this.#gates.get(order.gate)?.obey(order)
  }

  obeyAll ({ targets, gates }: { readonly targets: readonly TargetOrder[], readonly gates: readonly GateOrder[] }): void {
    for (const order of targets) this.obey(order)
    for (const order of gates) this.obeyAt(order)
  }

  close (): void {
    for (const { watch } of this.#watches.values()) watch.close()
  }
}
