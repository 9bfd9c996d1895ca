import type { EndSignal } from '../pipeline/end-signal.ts'
import type { AgentClient } from './client.ts'

export interface RetrySettings {
  /** The first one included. */
  readonly maxAttempts: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
}

/** Before the next attempt after so many: it doubles each time, less up to a half by chance. */
export function retryPauseMs (attempts: number, { backoffMs, maxBackoffMs }: RetrySettings, random: () => number = Math.random): number {
  return Math.min(maxBackoffMs, backoffMs * 2 ** (attempts - 1)) * (1 - random() / 2)
}

/** Looks for the agent again while it is not there, no longer than `withinMs`, and not for an exchange that is over. Gives how long that took. */
export async function awaitAgent (client: AgentClient, settings: RetrySettings, withinMs: number, ending: EndSignal): Promise<number> {
  const startedMs = performance.now()
  let leftMs = withinMs
  for (let attempts = 1; attempts < settings.maxAttempts && client.state !== 'ready' && leftMs > 0 && ending.reason === undefined; attempts++) {
    const pauseMs = Math.min(leftMs, retryPauseMs(attempts, settings))
    await pause(pauseMs, ending)
    leftMs = withinMs - (performance.now() - startedMs)
  }
  return performance.now() - startedMs
}

function pause (ms: number, ending: EndSignal): Promise<void> {
  return new Promise((resolve) => {
    const listener = { onExchangeEnd: (): void => done() }
    const timer = setTimeout(() => done(), ms)
    const done = (): void => {
      clearTimeout(timer)
      ending.ignore(listener)
      resolve()
    }
    ending.listen(listener)
  })
}
