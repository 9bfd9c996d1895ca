/** Thrown by a handler that cannot decide, with a code for the proxy's log. What it means is the operator's failure mode. */
export class AgentFailure extends Error {
  readonly code: string
  readonly retryable: boolean

  /** `code`: a stable word, for instance "store_down". `retryable`: asking again at once may help. */
  constructor (code: string, message: string, { retryable = false, cause }: { retryable?: boolean, cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'AgentFailure'
    this.code = code
    this.retryable = retryable
  }
}

/** The exchange ended while a handler waited for something of it. */
export class ExchangeEnded extends Error {
  /** Word of the protocol: "client_gone", "timeout", "decided", "upstream_failed", "shutdown", or "complete", "stream_closed". */
  readonly reason: string

  constructor (reason: string) {
    super(`the exchange ended: ${reason}`)
    this.name = 'ExchangeEnded'
    this.reason = reason
  }
}
