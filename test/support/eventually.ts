import assert from 'node:assert/strict'
import { patienceMs } from './patience.ts'

/** Waits until it is true, however slow the machine is; fails when it is not after a long while. */
export async function eventually (what: string, isTrue: () => boolean | Promise<boolean>, ms = patienceMs): Promise<void> {
  const untilMs = performance.now() + ms
  while (!await isTrue()) {
    assert.ok(performance.now() < untilMs, `not in ${ms} ms: ${what}`)
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
}
