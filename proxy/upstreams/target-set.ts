import { Fault } from '../pipeline/faults.ts'
import type { Ask, Balancer } from './balancers/index.ts'
import type { Connections } from './connections.ts'
import { nameOf, standingBits, Target, type Outcome, type StandingBit, type TargetHome, type TargetSettings } from './target.ts'

export interface TargetSetSettings {
  readonly targets: readonly TargetSettings[]
  readonly balancer: Balancer<Target>
  readonly connect: (settings: TargetSettings) => Connections
  readonly nowMs: () => number
}

export type OutcomeListener = (target: Target, outcome: Outcome) => void
export type StandingListener = (target: Target, before: number) => void

/** The targets of an upstream: who they are, who of them may be asked, and how they do. All of it changes while it runs. */
export class TargetSet implements TargetHome {
  readonly #settings: TargetSetSettings
  readonly #outcomeListeners: OutcomeListener[] = []
  readonly #standingListeners: StandingListener[] = []
  /** Have left the list, and finish what they have. */
  readonly #leaving = new Set<Target>()
  #targets: readonly Target[] = []

  constructor (settings: TargetSetSettings) {
    this.#settings = settings
    this.replace(settings.targets)
  }

  get targets (): readonly Target[] {
    return this.#targets
  }

  get listened (): boolean {
    return this.#outcomeListeners.length > 0
  }

  get (name: string): Target | undefined {
    return this.#targets.find((target) => target.name === name)
  }

  /** `undefined` when all that may be asked are in `skip`. */
  pick (ask: Ask<Target>): Target | undefined {
    return this.#settings.balancer.next(ask)
  }

  /** Takes over another list. Who stays keeps its connections and its standing; who leaves finishes what it has. */
  replace (list: readonly TargetSettings[]): void {
    const before = new Map(this.#targets.map((target) => [target.name, target]))
    const { connect, nowMs } = this.#settings
    this.#targets = mergedByName(list).map((settings) => {
      const known = before.get(nameOf(settings))
      if (known === undefined) return new Target(settings, connect(settings), this, nowMs())
      before.delete(known.name)
      known.configure(settings)
      return known
    })
    for (const gone of before.values()) this.#letGo(gone)
    this.#decide()
  }

  /** Sets or clears one reason why a target must not be asked. False when there is no such target. */
  mark (name: string, bit: StandingBit, on: boolean): boolean {
    const target = this.get(name)
    if (target === undefined) return false
    const before = target.standing
    target.standing = on ? before | standingBits[bit] : before & ~standingBits[bit]
    if (target.standing === before) return true
    for (const listener of this.#standingListeners) listener(target, before)
    this.#decide()
    return true
  }

  /** Gives a target only a part of its weight; 1 = all of it. */
  share (name: string, share: number): void {
    const target = this.get(name)
    if (target === undefined || target.share === share) return
    target.share = share
    target.configure(target.settings)
    this.#decide()
  }

  /** Why nobody could be asked, for an exchange that asked nobody. */
  whyNobody (): Fault {
    const open = this.#targets.filter(({ standing, settings }) => (standing & standingBits.open) !== 0 && settings.weight > 0)
    if (open.length > 0) return new Fault('BREAKER_OPEN', `${open.map(({ name }) => name).join(', ')}: too many failures`)
    return new Fault('NO_TARGET', 'no target is well and has a weight above 0')
  }

  /** The one place that learns how each try ended. */
  report (target: Target, outcome: Outcome): void {
    for (const listener of this.#outcomeListeners) listener(target, outcome)
  }

  onOutcome (listener: OutcomeListener): void {
    this.#outcomeListeners.push(listener)
  }

  onStanding (listener: StandingListener): void {
    this.#standingListeners.push(listener)
  }

  /** Resolves when the last exchange is over and the last connection closed, or `aborted` does and cuts what is left. */
  async close (aborted: Promise<void>, cut: Fault): Promise<void> {
    const all = [...this.#targets, ...this.#leaving]
    await Promise.race([Promise.all(all.map(({ connections }) => connections.drain())), aborted])
    for (const { connections } of all) connections.destroy(cut)
  }

  #letGo (target: Target): void {
    target.standing |= standingBits.leaving
    this.#leaving.add(target)
    void target.connections.drain().then(() => this.#leaving.delete(target))
  }

  /** Says to the balancer who may be asked. Never for an exchange: only when something about the targets changed. */
  #decide (): void {
    this.#settings.balancer.use(this.#targets.filter(({ standing }) => standing === 0))
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
