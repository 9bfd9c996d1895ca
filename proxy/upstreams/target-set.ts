import { Fault } from '../pipeline/faults.ts'
import { breakerFault } from '../pipeline/breaker.ts'
import type { Ask, Balancer } from './balancers/index.ts'
import { eligible } from './eligible.ts'
import { warmingStepMs, warmthAt } from './slow-start.ts'
import { nameOf, standingBits, type Outcome, type StandingBit, type Target, type TargetHome, type TargetSettings } from './target.ts'
import { farewellIn, type Farewell, type TargetStore } from './target-store.ts'

export interface TargetSetSettings {
  readonly targets: readonly TargetSettings[]
  readonly store: TargetStore
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** One for each tier of targets. */
  readonly balancer: () => Balancer<Target>
  /** Time until a target that is new, or well again, has its whole share; 0 = it has it at once. */
  readonly slowStartMs: number
  /** How long a target that has left the list may finish its exchanges. */
  readonly drainMs: number
  /** When less of the weight of all is well, those who are not are asked too; 0 = never. */
  readonly panicShare: number
}

export type OutcomeListener = (target: Target, outcome: Outcome) => void
export type StandingListener = (target: Target, before: number) => void

/** The targets of an upstream: who they are, who of them may be asked, and how they do. All of it changes while it runs. */
export class TargetSet implements TargetHome {
  /** So few are well that everybody is asked. */
  panic = false
  /** Somebody wants to know how tries end. */
  listened = false
  readonly #outcomeListeners: OutcomeListener[] = []
  readonly #standingListeners: StandingListener[] = []
  readonly #settings: TargetSetSettings
  #list: ReadonlyMap<Target, TargetSettings> = new Map()
  #targets: readonly Target[] = []
  /** In the order they are asked. */
  #tiers: ReadonlyArray<Balancer<Target>> = []
  readonly #balancers = new Map<number, Balancer<Target>>()
  #learns = false
  #warming: NodeJS.Timeout | undefined = undefined

  constructor (settings: TargetSetSettings) {
    this.#settings = settings
    settings.store.owner ??= this
    this.replace(settings.targets)
  }

  get targets (): readonly Target[] {
    return this.#targets
  }

  get (name: string): Target | undefined {
    return this.#targets.find((target) => target.name === name)
  }

  /** `undefined` when all that may be asked are in `skip`. */
  pick (ask: Ask<Target>): Target | undefined {
    for (const tier of this.#tiers) {
      const found = tier.next(ask)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Takes over another list. Who stays keeps its connections and its standing; who leaves finishes what it has. */
  replace (list: readonly TargetSettings[]): void {
    const { store, slowStartMs, drainMs } = this.#settings
    const before = new Map(this.#targets.map((target) => [target.name, target]))
    // Where everybody is new, there is nobody to whom they could leave a part of their share.
    const mayStartSlowly = slowStartMs > 0 && !store.isEmpty
    const next = new Map<Target, TargetSettings>()
    for (const settings of mergedByName(list)) {
      const known = before.get(nameOf(settings))
      if (known === undefined) next.set(store.take(settings, mayStartSlowly), settings)
      else next.set(known, settings)
    }
    this.#list = next
    this.#targets = [...next.keys()]
    for (const gone of before.values()) if (!next.has(gone)) void store.giveBack(gone, farewellIn(drainMs, gone))
    if (store.owner === this) this.takeOver()
    else this.#decide()
  }

  /** From here on its targets are what this set says of them, and tell it how they do. Until then another configuration is in use that has them too. */
  takeOver (): void {
    const { store, drainMs } = this.#settings
    store.owner = this
    store.retire(this.#list, drainMs)
    for (const [target, settings] of this.#list) target.configure(settings, this)
    this.#decide()
  }

  /** Sets or clears one reason why a target must not be asked. False when there is no such target. */
  mark (name: string, bit: StandingBit, on: boolean): boolean {
    const target = this.get(name)
    if (target === undefined) return false
    const before = target.standing
    target.standing = on ? before | standingBits[bit] : before & ~standingBits[bit]
    if (target.standing === before) return true
    if (target.standing === 0 && this.#settings.slowStartMs > 0) target.bornMs = this.#settings.nowMs()
    for (const listener of this.#standingListeners) listener(target, before)
    this.#decide()
    return true
  }

  /** Gives a target only a part of its weight; 1 = all of it. */
  share (name: string, share: number): void {
    const target = this.get(name)
    if (target === undefined || target.share === share) return
    target.share = share
    this.#decide()
  }

  /** Why nobody could be asked, for an exchange that asked nobody. */
  whyNobody (): Fault {
    const { nowMs } = this.#settings
    const open = this.#targets.filter(({ standing, settings }) => (standing & standingBits.open) !== 0 && settings.weight > 0)
    if (open.length > 0) return breakerFault(`${open.map(({ name }) => name).join(', ')}: too many failures`, Math.min(...open.map(({ retryAtMs }) => retryAtMs)) - nowMs())
    if (this.#targets.length === 0) return new Fault('NO_TARGET', 'there are no targets: none were found yet')
    return new Fault('NO_TARGET', 'no target is well and has a weight above 0')
  }

  /** The one place that learns how each try ended. */
  report (target: Target, outcome: Outcome): void {
    if (this.#learns) this.#teach(target, outcome)
    for (const listener of this.#outcomeListeners) listener(target, outcome)
  }

  onOutcome (listener: OutcomeListener): void {
    this.#outcomeListeners.push(listener)
    this.listened = true
  }

  onStanding (listener: StandingListener): void {
    this.#standingListeners.push(listener)
  }

  /** Resolves when the last exchange of targets that nobody else has is over and the last connection closed. */
  async close (farewell: Farewell): Promise<void> {
    clearInterval(this.#warming)
    const { store } = this.#settings
    const others = store.owner === this ? store.settled(farewell) : undefined
    await Promise.all([others, ...this.#targets.map((target) => store.giveBack(target, farewell))])
  }

  /** Says to the balancers who may be asked. Never for an exchange: only when something about the targets changed. */
  #decide (): void {
    if (this.#settings.store.owner === this) this.#warm()
    const { tiers, panic } = eligible(this.#targets, this.#settings.panicShare)
    this.panic = panic
    for (const priority of this.#balancers.keys()) if (!tiers.some((tier) => tier.priority === priority)) this.#balancers.delete(priority)
    this.#tiers = tiers.map(({ priority, candidates, all }) => {
      const balancer = this.#balancers.get(priority) ?? this.#settings.balancer()
      this.#balancers.set(priority, balancer)
      balancer.use(candidates, all)
      return balancer
    })
    this.#learns = this.#tiers.some(({ learn }) => learn !== undefined)
    this.listened = this.#learns || this.#outcomeListeners.length > 0
  }

  /** Gives everybody the share that its age allows, and comes back while somebody has less than all of it. */
  #warm (): void {
    const { slowStartMs, nowMs: clock } = this.#settings
    const nowMs = slowStartMs === 0 ? 0 : clock()
    let cold = false
    for (const target of this.#targets) {
      const warmth = slowStartMs === 0 ? 1 : warmthAt(nowMs - target.bornMs, slowStartMs)
      target.warm(warmth)
      cold ||= warmth < 1
    }
    if (cold) this.#warming ??= setInterval(() => this.#decide(), warmingStepMs(slowStartMs)).unref()
    else {
      clearInterval(this.#warming)
      this.#warming = undefined
    }
  }

  #teach (target: Target, { status, ms, fault }: Outcome): void {
    // Neither what the client did nor what was broken off on our side says how the target does; half an answer says nothing about its time.
    if (fault === undefined && status === 0 || fault !== undefined && fault.row.blame !== 'upstream') return
    if (fault !== undefined && status !== 0) return
    for (const tier of this.#tiers) tier.learn?.(target, ms, fault !== undefined || status >= 500)
  }
}

/** A target that is in the list twice is one, with both shares. */
function mergedByName (list: readonly TargetSettings[]): TargetSettings[] {
  const merged = new Map<string, TargetSettings>()
  for (const settings of list) {
    const name = nameOf(settings)
    const other = merged.get(name)
    merged.set(name, other === undefined ? settings : { ...settings, weight: settings.weight + other.weight })
  }
  return [...merged.values()]
}
