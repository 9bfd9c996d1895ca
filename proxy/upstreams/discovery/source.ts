import type { TargetSettings } from '../target.ts'

/** What an answer came to. */
export interface Found {
  readonly targets: readonly TargetSettings[]
  /** When to ask again; without it after the interval of the settings. 0: the next question waits for a change itself. */
  readonly againMs?: number
  /** What is wrong with entries that were left out, for the operator. */
  readonly problems?: readonly string[]
}

/** Somebody who knows the targets. Answers are read and judged here; when to ask is not decided here. */
export interface Source {
  /** Longest time an answer may take, the time that a question waits for changes included. */
  readonly patienceMs: number
  /** Asks once. Rejects with a `DiscoveryError` when there is no answer, or none that makes sense. */
  ask (signal: AbortSignal): Promise<Found>
  /** Calls `changed` when it is worth to ask at once. Gives how to stop. */
  watch? (changed: () => void): () => void
}

/** No list came of it; the message is for the operator, and holds no secret. */
export class DiscoveryError extends Error {
  constructor (message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'DiscoveryError'
  }
}
