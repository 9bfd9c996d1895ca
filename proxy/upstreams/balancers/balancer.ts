/** What a balancer may know about a target. */
export interface Candidate {
  readonly name: string
  /** Share of the exchanges; 0 = none. */
  readonly weight: number
  /** Exchanges that it has now. */
  readonly inFlight: number
}

/** One exchange that needs a target. */
export interface Ask<C> {
  /** Those that were asked already. */
  readonly skip: ReadonlySet<C> | undefined
}

/** Chooses targets. It has no clock, no chance and no socket of its own, so that it can be tested without them. */
export interface Balancer<C extends Candidate> {
  /** Who may be picked from now on, and with what weight. Called before the first pick and at each change; never for each exchange. */
  use (candidates: readonly C[]): void
  /** `undefined` when everybody of weight above 0 is in `skip`. */
  next (ask: Ask<C>): C | undefined
}

export interface BalancerSettings {
  /** From 0 up to 1. */
  readonly random: () => number
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
}

export type MakeBalancer = <C extends Candidate>(settings: BalancerSettings) => Balancer<C>
