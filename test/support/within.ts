import assert from 'node:assert/strict'

/** A machine that is busy all the time lets go now and then. */
const attempts = 10

/** Holds what a machine that others use, too, may spoil, a promise about speed: one attempt of three must keep it. What is wrong with the third is told. */
export async function oneOfThree (attempt: () => Promise<void>): Promise<void> {
  for (let left = 2; left > 0; left--) {
    try {
      return await attempt()
    } catch {
      // The next one tells.
    }
  }
  await attempt()
}

/**
 * Holds a promise about time on a machine that others use, too: one attempt of ten must keep it. A delay that is ours fails all ten.
 * `attempt` gives the milliseconds it took.
 */
export async function within (boundMs: number, attempt: () => Promise<number>): Promise<void> {
  const took: number[] = []
  do took.push(await attempt())
  while (took.at(-1)! >= boundMs && took.length < attempts)
  assert.ok(took.at(-1)! < boundMs, `took ${took.map(Math.round).join(', ')} ms, promised are ${boundMs}`)
}
