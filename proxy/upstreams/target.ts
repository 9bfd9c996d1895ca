import { Fault } from '../pipeline/faults.ts'
import type { Watcher } from './attempt.ts'
import type { Candidate } from './balancers/index.ts'
import type { Connections } from './connections.ts'
import type { Standing } from './eligible.ts'
import { Probation } from '../pipeline/probation.ts'

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
  /** Where it runs; default: nobody said. */
  readonly zone?: string
  /** Those of the lowest number are asked as long as one of them is well. Default 0. */
  readonly priority?: number
  /** Only asked when none of the others is well. */
  readonly backup?: boolean
  /** Facts about it. */
  readonly metadata?: Readonly<Record<string, string>>
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
  /** Until the head of the answer was there, or the try failed. */
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
export class Target implements Candidate, Standing, Watcher {
  readonly name: string
  readonly connections: Connections
  settings: TargetSettings
  weight: number
  warmth = 1
  /** Part of its weight that it gets; less than 1 while it is at the edge of what it can do. */
  share = 1
  /** Exchanges that it has now, tunnels among them. */
  inFlight = 0
  queuedTokens = 0
  tunnels = 0
  /** Exchanges that it was asked for, since it is there. */
  picks = 0
  /** Bits of `standingBits`; 0 = well. Changed by its set. */
  standing = 0
  /** Exchanges that it may have at a time, tunnels aside. */
  limit: number
  /** When its slow start began; -Infinity: it has its whole share. */
  bornMs: number
  /** When it may be asked again, while it may not. */
  retryAtMs = 0
  #probation: Probation | undefined = undefined
  #home: TargetHome | undefined = undefined

  constructor (settings: TargetSettings, connections: Connections, bornMs: number) {
    this.name = nameOf(settings)
    this.connections = connections
    this.settings = settings
    this.weight = settings.weight
    this.limit = settings.maxRequests ?? Infinity
    this.bornMs = bornMs
  }

  get zone (): string {
    return this.settings.zone ?? ''
  }

  get priority (): number {
    return this.settings.priority ?? 0
  }

  get backup (): boolean {
    return this.settings.backup ?? false
  }

  get isFull (): boolean {
    return this.#probation?.isFull === true || this.limit !== Infinity && this.inFlight - this.tunnels >= this.limit
  }

  /** `home`: who is told how its tries end. */
  configure (settings: TargetSettings, home: TargetHome): void {
    this.#home = home
    this.settings = settings
    this.limit = settings.maxRequests ?? Infinity
    this.warm(this.warmth)
  }

  /** Gives it this part of its share. */
  warm (warmth: number): void {
    this.warmth = warmth
    this.weight = this.settings.weight * warmth * this.share
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
    this.picks++
    this.#probation?.begin()
  }

  // As the watcher of tries.

  answered (status: number, ms: number): void {
    const probe = this.#probation?.end(ms) === true
    if (this.#home?.listened === true) this.#home.report(this, { status, ms, fault: undefined, probe })
  }

  failed (fault: Fault | undefined, ms: number): void {
    const probe = this.#probation?.end(ms) === true
    if (this.#home?.listened === true) this.#home.report(this, { status: 0, ms, fault, probe })
  }

  broke (status: number, fault: Fault): void {
    if (this.#home?.listened === true) this.#home.report(this, { status, ms: 0, fault, probe: false })
  }

  tunnelled (): void {
    this.tunnels++
  }

  over (tunnel: boolean): void {
    this.inFlight--
    if (tunnel) this.tunnels--
  }
}

/** Watches a try for a target whose queue is counted in tokens. */
export class TokenWatcher implements Watcher {
  readonly #target: Target
  readonly #tokens: number

  constructor (target: Target, tokens: number) {
    this.#target = target
    this.#tokens = tokens
    target.queuedTokens += tokens
  }

  answered (status: number, ms: number): void {
    this.#target.answered(status, ms)
  }

  failed (fault: Fault | undefined, ms: number): void {
    this.#target.failed(fault, ms)
  }

  broke (status: number, fault: Fault): void {
    this.#target.broke(status, fault)
  }

  tunnelled (): void {
    this.#target.tunnelled()
  }

  over (tunnel: boolean): void {
    this.#target.queuedTokens -= this.#tokens
    this.#target.over(tunnel)
  }
}
