/** What a balancer may know about a target. */
export interface Candidate {
  readonly name: string
  /** Share of the exchanges; 0 = none. Smaller than was configured while the target starts slowly. */
  readonly weight: number
  /** Part of what was configured that it gets while it starts slowly; 1 = all. */
  readonly warmth: number
  /** Where it runs; '' where nobody said. */
  readonly zone: string
  /** Exchanges that it has now. */
  readonly inFlight: number
  /** Tokens that the exchanges it has now are guessed to cost; 0 where nobody counts them. */
  readonly queuedTokens: number
}

/** One exchange that needs a target. */
export interface Ask<C> {
  /** Those that were asked already. */
  readonly skip: ReadonlySet<C> | undefined
  /** What hashes are taken of; only there for those who take one. */
  readonly key: string | undefined
  /** Whom its session belongs to. */
  readonly wanted: C | undefined
}

/** Chooses targets. It has no clock, no chance and no socket of its own, so that it can be tested without them. */
export interface Balancer<C extends Candidate> {
  /**
   * Called before the first pick and at each change; never for each exchange.
   *
   * @param candidates Who may be picked from now on, in any order.
   * @param all Those and the ones that may not be picked because they are not well.
   */
  use (candidates: readonly C[], all: readonly C[]): void
  /** `undefined` when everybody of weight above 0 is in `skip`. */
  next (ask: Ask<C>): C | undefined
  /** How an exchange with it went: `ms` until the answer began or the target failed. */
  learn? (one: C, ms: number, failed: boolean): void
}

export interface BalancerSettings {
  /** From 0 up to 1. */
  readonly random: () => number
  /** Monotonic milliseconds. */
  readonly nowMs: () => number
  /** Where this proxy runs; '' where nobody said. */
  readonly zone: string
  /** What tells this proxy from others of the same configuration. */
  readonly instance: string
  /** How many targets one proxy has. */
  readonly subsetSize: number
  /** Who picks for exchanges that belong to no session. */
  readonly fallback: MakeBalancer
}

export type MakeBalancer = <C extends Candidate>(settings: BalancerSettings) => Balancer<C>

/** Those that have a share. */
export function sharing<C extends Candidate> (candidates: readonly C[]): C[] {
  return candidates.filter(({ weight }) => weight > 0)
}

/** In an order that every proxy comes to, whatever the order of its list. */
export function inOrder<C extends Candidate> (candidates: readonly C[]): C[] {
  return sharing(candidates).sort((a, b) => a.name < b.name ? -1 : 1)
}

/** Equal for candidates of equal names and weights. */
export function sharesOf (candidates: readonly Candidate[]): string {
  return candidates.map(({ name, weight }) => `${name} ${weight}`).join()
}
