/** Thrown by a handler that cannot decide, with a code for the proxy's log. What it means is the operator's failure mode. */
export class AgentFailure extends Error {
  /** A stable word for the proxy's log, for instance "store_down". */
  readonly code: string
  /** Asking again at once may help. */
  readonly retryable: boolean

  /** `code`: a stable word, for instance "store_down". `retryable`: asking again at once may help. */
  constructor (code: string, message: string, { retryable = false, cause }: { retryable?: boolean, cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'AgentFailure'
    this.code = code
    this.retryable = retryable
  }
}

/**
 * A request body that is not what it should be. A handler of the request that lets it through refuses the request with 400: what a client sends
 * must not decide whether the operator's failure mode applies.
 */
export class InvalidBody extends Error {
  constructor (message: string, { cause }: { cause?: unknown } = {}) {
    super(message, { cause })
    this.name = 'InvalidBody'
  }
}

/** The exchange ended while a handler waited for something of it. */
export class ExchangeEnded extends Error {
  /** Word of the protocol: "client_gone", "timeout", "decided", "upstream_failed", "shutdown", or "complete", "stream_closed". */
  readonly reason: string

  /** @internal */
  constructor (reason: string) {
    super(`the exchange ended: ${reason}`)
    this.name = 'ExchangeEnded'
    this.reason = reason
  }
}
