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

export function shareProcess (shared: SharedProcess): void {
  (globalThis as Record<symbol, SharedProcess | undefined>)[key] = shared
}
