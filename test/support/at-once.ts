import assert from 'node:assert/strict'
import { patienceMs } from './patience.ts'

/** What comes of it does not wait for what changes nothing: that has `patienceMs` (`settings` of consulted.ts). */
export async function atOnce<T> (outcome: Promise<T>): Promise<T> {
  const startMs = performance.now()
  const found = await outcome
  assert.ok(performance.now() - startMs < patienceMs / 2)
  return found
}
