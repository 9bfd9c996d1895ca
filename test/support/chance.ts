/** A number from 0 to `below` - 1. */
export type Random = (below: number) => number

/** The same row of numbers for the same seed. */
export function randomFrom (seed: number): Random {
  let state = seed >>> 0
  return below => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

export function pick (list: readonly string[], random: Random): string {
  return list[random(list.length)] ?? ''
}
