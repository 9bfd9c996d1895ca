import { Fault } from '../pipeline/faults.ts'
import type { Watcher } from './attempt.ts'
import type { Candidate } from './balancers/index.ts'
import type { Connections } from './connections.ts'
import { Probation } from './probation.ts'

export interface TargetSettings {
  /** Name or address; IPv6 without brackets. */
  readonly host: string
  readonly port: number
  /** A Unix socket in place of host and port, which are empty then. */
  readonly path?: string
  /** Requests at a time. */
  readonly maxRequests?: number
  /** Share of the exchanges; 0 = none. */
  readonly weight: number
}

/** Reasons why a target must not be asked, each a bit of its standing. */
export const standingBits = {
  /** Active checks fail. */
  down: 1,
  /** It answers worse than the others. */
  ejected: 2,
  /** Its circuit breaker is open. */
  open: 4,
  /** The operator took it out. */
  drained: 8,
  /** It is in the list no longer. */
  leaving: 16,
} as const

export type StandingBit = keyof typeof standingBits

/** How a try ended. An answer that breaks off later is told in a second one. */
export interface Outcome {
  /** Of the answer; 0 when there was none. */
  readonly status: number
  /** Until the head of the answer was there; 0 when there was none. */
  readonly ms: number
  /** Why there was no answer, or only half of one. With neither answer nor fault the try was given up, which says nothing about the target. */
  readonly fault: Fault | undefined
  /** It was let through to find out whether the target is well again. */
  readonly probe: boolean
}

/** Who has targets. */
export interface TargetHome {
  report (target: Target, outcome: Outcome): void
  /** Somebody wants to know how tries end. */
  readonly listened: boolean
}

export function nameOf ({ host, port, path }: TargetSettings): string {
  return path !== undefined ? `unix:${path}` : host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** One server of an upstream. It is the same one as long as its name is in the list. */
export class Target implements Candidate, Watcher {
  readonly name: string
  readonly connections: Connections
  settings: TargetSettings
  weight: number
  /** Part of its weight that it gets; less than 1 while it is at the edge of what it can do. */
  share = 1
  /** Exchanges that it has now, tunnels among them. */
  inFlight = 0
  tunnels = 0
  /** Bits of `standingBits`; 0 = well. Changed by its set. */
  standing = 0
  /** Exchanges that it may have at a time, tunnels aside. */
  limit: number
  readonly bornMs: number
  #probation: Probation | undefined = undefined
  readonly #home: TargetHome

  constructor (settings: TargetSettings, connections: Connections, home: TargetHome, nowMs: number) {
    this.name = nameOf(settings)
    this.connections = connections
    this.settings = settings
    this.weight = settings.weight
    this.limit = settings.maxRequests ?? Infinity
    this.bornMs = nowMs
    this.#home = home
  }

  get isFull (): boolean {
    return this.#probation?.isFull === true || this.limit !== Infinity && this.inFlight - this.tunnels >= this.limit
  }

  configure (settings: TargetSettings): void {
    this.settings = settings
    this.weight = settings.weight * this.share
    this.limit = settings.maxRequests ?? Infinity
  }

  /** No more than so many exchanges at a time, until it is said anew: Infinity for as many as the settings say. */
  limitTo (exchanges: number): void {
    this.limit = Math.min(exchanges, this.settings.maxRequests ?? Infinity)
  }

  /** Nobody knows whether it is well again: it gets so many tries at a time. `undefined`: it is known. */
  putOnProbation (places: number | undefined): void {
    if (places !== this.#probation?.places) this.#probation = places === undefined ? undefined : new Probation(places)
  }

  whyFull (): Fault {
    if (this.#probation?.isFull === true) return new Fault('BREAKER_OPEN', `${this.name} is being tried again`)
    return new Fault('UPSTREAM_BUSY', `${this.name} has ${this.limit} requests`)
  }

  /** An exchange is its own from here on, until `over`. */
  begin (): void {
    this.inFlight++
    this.#probation?.begin()
  }

  // As the watcher of tries.

  answered (status: number, ms: number): void {
    const probe = this.#probation?.end(ms) === true
    if (this.#home.listened) this.#home.report(this, { status, ms, fault: undefined, probe })
  }

  /** The same, `error` being whatever kept it from answering. */
  failed (fault: Fault | undefined, ms: number): void {
    const probe = this.#probation?.end(ms) === true
    if (this.#home.listened) this.#home.report(this, { status: 0, ms, fault, probe })
  }

  broke (status: number, fault: Fault): void {
    if (this.#home.listened) this.#home.report(this, { status, ms: 0, fault, probe: false })
  }

  tunnelled (): void {
    this.tunnels++
  }

  over (tunnel: boolean): void {
    this.inFlight--
    if (tunnel) this.tunnels--
  }
}
