import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Legacy, Predecessor } from './handover.ts'
import type { HealthKeeper } from './health-keeper.ts'
import type { Successor } from './successor.ts'
import { handOver, type UpgradeSettings } from './upgrade.ts'

/** The process that comes after this one: nobody, one that starts, or one that serves. */
export class Succession {
  /** Serves in the place of this process. */
  #successor: Successor | undefined
  #agentsGo: ((listener: string, socket: Socket) => void) | undefined
  #drainsToo: ((upstream: string, target: string, on: boolean) => void) | undefined
  readonly #unwanted = new AbortController()
  /** Never rejects. */
  #upgrading: Promise<unknown> = Promise.resolve()

  /** One that serves. */
  get successor (): Successor | undefined {
    return this.#successor
  }

  /** An agent has connected to the proxy: it has a place for it, when this process is about to end. */
  takes (listener: string, socket: Socket): boolean {
    this.#agentsGo?.(listener, socket)
    return this.#agentsGo !== undefined
  }

  /** No successor is wanted any more. */
  get isGivenUp (): boolean {
    return this.#unwanted.signal.aborted
  }

  /** As `handOver`. `agentsLeave`: they have another place from now on. */
  begin (settings: Omit<UpgradeSettings, 'signal' | 'sendAgents' | 'tellDrains'>, agentsLeave: () => void): Promise<Successor> {
    const over = handOver({
      ...settings,
      signal: this.#unwanted.signal,
      tellDrains: (to) => { this.#drainsToo = to },
      sendAgents: (to) => {
        this.#agentsGo = to
        if (to !== undefined) agentsLeave()
      },
    }).then((successor) => this.#successor = successor)
    this.#upgrading = over.catch(() => {})
    return over
  }

  /** The operator has taken a target out, or put it back. */
  drained (upstream: string, target: string, on: boolean): void {
    this.#drainsToo?.(upstream, target, on)
  }

  /** Ends one that does not serve yet. Resolves when this process has again what it had let go of; at once when there is none. */
  async giveUp (): Promise<void> {
    this.#unwanted.abort()
    await this.#upgrading
  }
}

/** What the operator takes out and puts back at the process before this one, from its `release` on. `begin`: the targets are there. */
export function followDrains (predecessor: Predecessor | undefined, health: Pick<HealthKeeper, 'drain'>): { begin (drained: Legacy['drained'] | undefined): void } {
  let waiting: Array<() => void> | undefined = []
  predecessor?.drains((upstream, target, on) => {
    const take = (): void => void health.drain(upstream, target, on)
    if (waiting === undefined) take()
    else waiting.push(take)
  })
  return {
    begin (drained = []) {
      for (const [upstream, target] of drained) health.drain(upstream, target, true)
      for (const take of waiting ?? []) take()
      waiting = undefined
    },
  }
}

/** Waits until the process that handed over to this one has ended, so that its records can be written: not longer than it says, and not for those who hurry. */
export async function outlive (predecessor: Predecessor, longestMs: number, hurry: AbortSignal): Promise<void> {
  if (longestMs <= 0 || hurry.aborted) return
  const enough = new AbortController()
  const stop = (): void => enough.abort()
  hurry.addEventListener('abort', stop)
  await Promise.race([predecessor.gone(), sleep(longestMs, undefined, { signal: enough.signal }).catch(() => {})])
  stop()
  hurry.removeEventListener('abort', stop)
}
