import { standingBits } from './target.ts'

/** What decides whether a target may be asked. */
export interface Standing {
  readonly weight: number
  /** Bits of `standingBits`. */
  readonly standing: number
  /** Of the tier: the lowest is asked first. */
  readonly priority: number
  /** It is behind all tiers. */
  readonly backup: boolean
}

export interface Tier<T> {
  /** Its number, the same as long as the tier is there; Infinity: backups. */
  readonly priority: number
  readonly candidates: readonly T[]
  /** Those and the ones that are not well. */
  readonly all: readonly T[]
}

export interface Eligible<T> {
  /** In the order they are asked; never one without candidates. */
  readonly tiers: ReadonlyArray<Tier<T>>
  /** So few are well that those who are not are asked as well. */
  readonly panic: boolean
}

/** What the operator said counts in a panic as well, and so does what the exchanges themselves have shown. */
const certain = standingBits.drained | standingBits.leaving | standingBits.open

/**
 * Who may be asked. The first tier is the first one of which enough is well (more than nothing, and at least `panicShare` of its weight); the others are behind
 * it, for exchanges that nobody in front took. Without such a tier the checks are wrong, or all is lost anyway: then the first tier is asked whole. A
 * share of 0 never panics.
 */
export function eligible<T extends Standing> (targets: readonly T[], panicShare: number): Eligible<T> {
  const tiers = tiersOf(targets)
  const isEnough = ({ candidates, all }: Tier<T>): boolean => candidates.length > 0 && weightOf(candidates) >= panicShare * weightOf(all)
  const enough = tiers.filter(isEnough)
  const few = tiers.filter((tier) => tier.candidates.length > 0 && !isEnough(tier))
  const [first] = tiers
  if (enough.length > 0 || panicShare === 0 || first === undefined) return { tiers: [...enough, ...few], panic: false }
  return { tiers: [{ ...first, candidates: first.all }, ...few.filter((tier) => tier !== first)], panic: true }
}

function tiersOf<T extends Standing> (targets: readonly T[]): Array<Tier<T>> {
  const byPriority = new Map<number, T[]>()
  for (const target of targets) {
    if (target.weight <= 0 || (target.standing & certain) !== 0) continue
    const priority = target.backup ? Infinity : target.priority
    const tier = byPriority.get(priority)
    if (tier === undefined) byPriority.set(priority, [target])
    else tier.push(target)
  }
  return [...byPriority].sort(([a], [b]) => a - b).map(([priority, all]) => ({ priority, all, candidates: all.filter(({ standing }) => standing === 0) }))
}

function weightOf (targets: readonly Standing[]): number {
  return targets.reduce((sum, { weight }) => sum + weight, 0)
}
