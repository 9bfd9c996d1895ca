import type { SentinelConfig } from '../../config/sentinel/index.ts'
import { Gate, TargetWatch, type GateOrder, type GateSettings, type HealthOrders, type TargetOrder, type Upstream } from '../upstreams/index.ts'
import { watchOf } from './health-plans.ts'
import type { MainSide } from './seam.ts'

/** Who judges. */
export type Judge = Pick<MainSide, 'heard' | 'heardAt'>

/** The side of the data path: tells the judge how exchanges end, and treats targets as the judge says. */
export class HealthFollower {
  readonly #judge: Judge
  readonly #watches = new Map<string, TargetWatch>()
  readonly #gates = new Map<string, Gate>()
  /** What was said last: it counts for upstreams of the next configuration as well, from its first exchange on. */
  readonly #orders = new Map<string, { readonly order: TargetOrder, readonly atMs: number }>()
  readonly #gateOrders = new Map<string, GateOrder>()

  constructor (judge: Judge) {
    this.#judge = judge
  }

  /** One for all configurations. */
  gate (settings: GateSettings): Gate {
    const { gate: name } = settings
    let gate = this.#gates.get(name)
    if (gate === undefined) {
      gate = new Gate(settings, (evidence) => this.#judge.heardAt(evidence))
      this.#gates.set(name, gate)
      const order = this.#gateOrders.get(name)
      if (order !== undefined) gate.obey(order)
    }
    gate.configure(settings)
    return gate
  }

  /** These are the upstreams from now on. */
  follow (config: SentinelConfig, upstreams: ReadonlyMap<string, Upstream>): void {
    this.close()
    this.#watches.clear()
    for (const one of config.upstreams) {
      const upstream = upstreams.get(one.id)
      if (upstream === undefined) continue
      const watch = new TargetWatch(upstream.set, (evidence) => this.#judge.heard(evidence))
      watch.configure(watchOf(one))
      this.#watches.set(one.id, watch)
    }
    const nowMs = performance.now()
    for (const [key, { order, atMs }] of this.#orders) {
      const watch = this.#watches.get(order.upstream)
      if (watch === undefined) this.#orders.delete(key)
      else watch.obey({ ...order, retryMs: Math.max(0, order.retryMs - (nowMs - atMs)) })
    }
  }

  obey ({ targets, gates }: HealthOrders): void {
    for (const order of targets) {
      this.#orders.set(`${order.upstream} ${order.target}`, { order, atMs: performance.now() })
      this.#watches.get(order.upstream)?.obey(order)
    }
    for (const order of gates) {
      this.#gateOrders.set(order.gate, order)
      this.#gates.get(order.gate)?.obey(order)
    }
  }

  close (): void {
    for (const watch of this.#watches.values()) watch.close()
  }
}
