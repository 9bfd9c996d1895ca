import { Fault } from '../pipeline/faults.ts'
import type { Connections, Pace } from './connections.ts'
import { RetryBudgets } from './retry/budget.ts'
import { Refusals } from './retry/refusals.ts'
import { nameOf, standingBits, Target, type TargetSettings } from './target.ts'

/** Until when a target may finish its exchanges, and why those that are open then are cut. */
export interface Farewell {
  readonly until: Promise<void>
  readonly cut: Fault
}

interface Held {
  readonly target: Target
  holders: number
  /** The store holds it as well, until this is over: no set in use has it. */
  retiring: NodeJS.Timeout | undefined
}

/**
 * The targets of one upstream by name, shared by all configurations that have them: what changes between them is the list, the shares and the way of
 * picking, and connections, standing and counts live on.
 */
export class TargetStore {
  readonly #connect: (settings: TargetSettings) => Connections
  readonly #nowMs: () => number
  readonly #held = new Map<string, Held>()
  readonly #leaving = new Map<Target, Promise<void>>()
  readonly pace: Pace
  readonly budgets = new RetryBudgets()
  readonly refusals = new Refusals()
  /** The set whose word counts: that of the newest configuration in use. */
  owner: object | undefined = undefined

  constructor (connect: (settings: TargetSettings) => Connections, nowMs: () => number, pace: Pace = { tickMs: 250 }) {
    this.#connect = connect
    this.pace = pace
    this.#nowMs = nowMs
  }

  /** Whether there is any. */
  get isEmpty (): boolean {
    return this.#held.size === 0
  }

  /** The target of that name, a new one when nobody has it. `isNew`: beside others that are there already, so that it may have to start slowly. */
  take (settings: TargetSettings, isNew: boolean): Target {
    const name = nameOf(settings)
    let held = this.#held.get(name)
    if (held === undefined) {
      held = { target: new Target(settings, this.#connect(settings), isNew ? this.#nowMs() : -Infinity), holders: 0, retiring: undefined }
      this.#held.set(name, held)
    }
    if (held.retiring === undefined) held.holders++
    clearTimeout(held.retiring)
    held.retiring = undefined
    return held.target
  }

  /**
   * Those that the set in use has no more. Exchanges of older configurations may still be on their way to them: they have as long as there is, and then are
   * cut.
   */
  retire (stay: ReadonlyMap<Target, unknown>, drainMs: number): void {
    for (const held of this.#held.values()) {
      if (stay.has(held.target) || held.retiring !== undefined || drainMs === Infinity) continue
      held.holders++
      held.target.connections.closeIdle()
      held.retiring = setTimeout(() => {
        const farewell = farewellIn(0, held.target)
        held.target.connections.destroy(farewell.cut)
        void this.#dismiss(held, farewell)
      }, drainMs).unref()
    }
  }

  #dismiss (held: Held, farewell: Farewell): Promise<void> {
    clearTimeout(held.retiring)
    held.retiring = undefined
    return this.giveBack(held.target, farewell)
  }

  /** Resolves when it has finished its exchanges; at once when somebody else has it still. */
  async giveBack (target: Target, farewell: Farewell): Promise<void> {
    const held = this.#held.get(target.name)
    if (held?.target !== target || --held.holders > 0) return
    this.#held.delete(target.name)
    target.standing |= standingBits.leaving
    const closed = target.connections.close(farewell.until, farewell.cut).finally(() => this.#leaving.delete(target))
    this.#leaving.set(target, closed)
    await closed
  }

  /** Resolves when those that are finishing their exchanges have. */
  async settled (farewell: Farewell): Promise<void> {
    for (const held of this.#held.values()) if (held.retiring !== undefined) void this.#dismiss(held, farewell)
    const leaving = [...this.#leaving]
    await Promise.race([Promise.all(leaving.map(([, closed]) => closed)), farewell.until])
    for (const [target] of leaving) target.connections.destroy(farewell.cut)
  }
}

/** For a target that is taken off a list that is in use. */
export function farewellIn (ms: number, target: Target): Farewell {
  const until = ms === Infinity ? new Promise<void>(() => { /* as long as it takes */ }) : new Promise<void>((resolve) => { setTimeout(resolve, ms).unref() })
  return { until, cut: new Fault('UPSTREAM_RESET', `${target.name} left the upstream, and its time to finish is over`) }
}
