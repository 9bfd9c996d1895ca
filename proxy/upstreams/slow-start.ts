/** What a target gets at once: with nothing at all it would never be asked. */
const leastWarmth = 0.1

/** Part of its share that a target gets which has been there for so long: from a tenth, evenly, to all of it. */
export function warmthAt (ageMs: number, slowStartMs: number): number {
  return ageMs >= slowStartMs ? 1 : Math.max(leastWarmth, ageMs / slowStartMs)
}

/** How often shares grow: in twenty steps, and not more often than is of any use. */
export function warmingStepMs (slowStartMs: number): number {
  return Math.max(50, Math.min(1_000, slowStartMs / 20))
}
