import type { DecisionRecord } from '../pipeline/exchange.ts'

export interface Failing {
  readonly mode: DecisionRecord['mode']
  readonly failureMode: 'open' | 'closed'
  /** The agent was given a part of the body that the proxy no longer has as it was. */
  readonly bodyGone: boolean
}

/**
 * What becomes of an exchange whose agent gave no usable answer: the one place where that is decided.
 *
 * Only enforcing agents can stop anything. `open` needs the request to be as it would be without the agent; once body bytes were
 * handed over and no copy kept, nobody knows what the agent would have changed or held back, so it ends like `closed`.
 */
export function afterFailure ({ mode, failureMode, bodyGone }: Failing): 'continue' | 'refuse' {
  if (mode !== 'enforce') return 'continue'
  return failureMode === 'open' && !bodyGone ? 'continue' : 'refuse'
}
