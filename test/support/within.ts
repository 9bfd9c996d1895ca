import assert from 'node:assert/strict'

/**
 * Holds a promise about time on a machine that others use, too: one attempt of three must keep it. A delay that is ours fails all three.
 * `attempt` gives the milliseconds it took.
 */
export async function within (boundMs: number, attempt: () => Promise<number>): Promise<void> {
  const took: number[] = []
  do took.push(await attempt())
  while (took.at(-1)! >= boundMs && took.length < 3)
  assert.ok(took.at(-1)! < boundMs, `took ${took.map(Math.round).join(', ')} ms, promised are ${boundMs}`)
}
