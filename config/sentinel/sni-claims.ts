/** Somebody who wants names. */
export interface Claimant {
  /** Names it has no more right to than another. */
  readonly plain: readonly string[]
  /** Names it gets whoever else wants them. */
  readonly priority: readonly string[]
}

export interface Dispute<C> {
  readonly name: string
  readonly first: C
  readonly second: C
  /** Both have it among those that come first. */
  readonly priority: boolean
}

/** Who gets which name: those with priority first, then in the order given. A name that two claim with equal right is a dispute, and the first one's. */
export function assignNames<C extends Claimant> (claimants: readonly C[]): { readonly owners: Map<string, C>, readonly disputes: Array<Dispute<C>> } {
  const owners = new Map<string, C>()
  const disputes: Array<Dispute<C>> = []
  const claim = (name: string, second: C, priority: boolean): void => {
    const first = owners.get(name)
    if (first === undefined) owners.set(name, second)
    else if (first !== second) disputes.push({ name, first, second, priority })
  }
  for (const one of claimants) for (const name of one.priority) claim(name, one, true)
  const decided = new Set(owners.keys())
  for (const one of claimants) for (const name of one.plain) if (!decided.has(name)) claim(name, one, false)
  return { owners, disputes }
}
