import type { Agent } from '../definition.ts'

/** Who loads programs of agents into one process, and serves what they would have served themselves. */
export interface SharedProcess {
  serve (agent: Agent): Promise<void>
}

/** A program may bring an SDK of its own, so it is found under a name that all of them know. */
const key = Symbol.for('sentinel.sdk.shared-process.1')

export function sharedProcess (): SharedProcess | undefined {
  return (globalThis as Record<symbol, SharedProcess | undefined>)[key]
}

/** `undefined`: from now on each program serves itself. */
export function shareProcess (shared: SharedProcess | undefined): void {
  (globalThis as Record<symbol, SharedProcess | undefined>)[key] = shared
}
