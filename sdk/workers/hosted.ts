import type { Agent } from '../definition.ts'

// The module of an agent usually ends with `await serve(agent)`. In a worker thread that call only says which agent it is.

let receive: ((agent: Agent) => void) | undefined

/** URL of a module whose `registerHooks` a thread calls before it loads the agent: what makes this thread take TypeScript is not inherited. */
let hooks: string | undefined

export function setThreadHooks (url: string): void {
  hooks = url
}

export function threadHooks (): string | undefined {
  return hooks
}

/** For the worker thread: from now on `serve` hands its agent to this function. */
export function hostAgents (take: (agent: Agent) => void): void {
  receive = take
}

/** True when this is a worker thread, which has the agent now. */
export function isHosted (agent: Agent): boolean {
  receive?.(agent)
  return receive !== undefined
}
