import type { Reply } from './exchange.ts'

export interface FaultRow {
  /** Status for the client; 0 when nobody is there to read one. */
  readonly status: number
  readonly blame: 'client' | 'upstream' | 'agent' | 'sentinel'
  /** When another target may be tried: `unsent` = nothing was sent yet, `idempotent` = the method allows it. */
  readonly retry: 'never' | 'unsent' | 'idempotent'
  /** One sentence; it is also what the client reads. */
  readonly doc: string
}

/** Everything that can go wrong with an exchange. Codes are stable: they are in logs, metrics and dashboards of others. */
export const faults = {
  BAD_REQUEST: { status: 400, blame: 'client', retry: 'never', doc: 'The request is not valid HTTP.' },
  NO_ROUTE: { status: 404, blame: 'client', retry: 'never', doc: 'No route matches this host, path and method.' },
  NOT_FOUND: { status: 404, blame: 'client', retry: 'never', doc: 'There is nothing at this address.' },
  FOLDER_CLOSED: { status: 403, blame: 'client', retry: 'never', doc: 'What this folder holds is not shown.' },
  METHOD_NOT_ALLOWED: { status: 405, blame: 'client', retry: 'never', doc: 'This method cannot be used here.' },
  OPERATORS_ONLY: { status: 403, blame: 'client', retry: 'never', doc: 'This page is for operators of the proxy.' },
  TOKEN_NEEDED: { status: 401, blame: 'client', retry: 'never', doc: 'This page needs a token that was not shown.' },
  PURGE_UNCLEAR: { status: 400, blame: 'client', retry: 'never', doc: 'What is to be purged cannot be told: one of url, prefix, glob (with a path), tag or all.' },
  PRECONDITION_FAILED: { status: 412, blame: 'client', retry: 'never', doc: 'What is here is not what the request expects.' },
  RANGE_REFUSED: { status: 416, blame: 'client', retry: 'never', doc: 'Nothing is where the wanted range begins.' },
  ADDRESS_REFUSED: { status: 403, blame: 'client', retry: 'never', doc: 'Requests from this address are not served here.' },
  COUNTRY_REFUSED: { status: 403, blame: 'client', retry: 'never', doc: 'Requests from this country are not served here.' },
  AUTH_REQUIRED: { status: 401, blame: 'client', retry: 'never', doc: 'Whoever asks for this has to sign in first.' },
  ORIGIN_REFUSED: { status: 403, blame: 'client', retry: 'never', doc: 'Scripts of this origin may not use this site.' },
  HEADER_MISSING: { status: 400, blame: 'client', retry: 'never', doc: 'A header field that must be there is missing.' },
  UPGRADE_REFUSED: { status: 403, blame: 'client', retry: 'never', doc: 'This route does not switch to another protocol.' },
  WEBSOCKET_VERSION: { status: 426, blame: 'client', retry: 'never', doc: 'This server speaks version 13 of the WebSocket protocol.' },
  RATE_LIMITED: { status: 429, blame: 'client', retry: 'never', doc: 'Too many requests came in a short time.' },
  CLIENT_TUNNELS_FULL: { status: 429, blame: 'client', retry: 'never', doc: 'Too many WebSockets of this client are open.' },
  MESSAGE_REFUSED: { status: 0, blame: 'client', retry: 'never', doc: 'A WebSocket message broke the rules of the protocol or was too long.' },
  NOT_KEPT: { status: 504, blame: 'client', retry: 'never', doc: 'The request wants a kept answer (`only-if-cached`), and there is none.' },
  METHOD_REFUSED: { status: 501, blame: 'client', retry: 'never', doc: 'This method is not served here.' },
  CLIENT_TIMEOUT: { status: 408, blame: 'client', retry: 'never', doc: 'The request did not arrive in time.' },
  BODY_TOO_LARGE: { status: 413, blame: 'client', retry: 'never', doc: 'The request body is larger than allowed.' },
  BODY_EXPANDS: { status: 413, blame: 'client', retry: 'never', doc: 'The request body becomes larger than allowed when it is unpacked.' },
  BODY_CODING_UNKNOWN: { status: 415, blame: 'client', retry: 'never', doc: 'The request body is packed in a way that is not taken here.' },
  BODY_UNREADABLE: { status: 400, blame: 'client', retry: 'never', doc: 'The request body cannot be read as what it says to be.' },
  MEDIA_TYPE_REFUSED: { status: 415, blame: 'client', retry: 'never', doc: 'A body of this type is not taken here.' },
  SCHEMA_VIOLATED: { status: 400, blame: 'client', retry: 'never', doc: 'The request does not fit the description of this API.' },
  PATH_NOT_DESCRIBED: { status: 404, blame: 'client', retry: 'never', doc: 'The description of this API has no such path.' },
  METHOD_NOT_DESCRIBED: { status: 405, blame: 'client', retry: 'never', doc: 'The description of this API has no such method for this path.' },
  URI_TOO_LONG: { status: 414, blame: 'client', retry: 'never', doc: 'The request line is longer than allowed.' },
  EXPECTATION_REFUSED: { status: 417, blame: 'client', retry: 'never', doc: 'The request expects something that this server does not do.' },
  HEAD_TOO_LARGE: { status: 431, blame: 'client', retry: 'never', doc: 'The request header fields are larger than allowed.' },
  CLIENT_BUSY: { status: 503, blame: 'client', retry: 'never', doc: 'This client has more connections open than allowed.' },
  CLIENT_GONE: { status: 0, blame: 'client', retry: 'never', doc: 'The client closed the connection before the answer was complete.' },

  NO_TARGET: { status: 503, blame: 'upstream', retry: 'never', doc: 'No target of the upstream can be used.' },
  BREAKER_OPEN: { status: 503, blame: 'upstream', retry: 'never', doc: 'What would answer failed too often and is left alone for a while.' },
  UPSTREAM_CONNECT: { status: 502, blame: 'upstream', retry: 'unsent', doc: 'No connection to the upstream could be made.' },
  UPSTREAM_TLS: { status: 502, blame: 'upstream', retry: 'unsent', doc: 'The TLS handshake with the upstream failed.' },
  UPSTREAM_HTTP_VERSION: { status: 502, blame: 'upstream', retry: 'unsent', doc: 'The upstream does not speak the HTTP version that it should.' },
  UPSTREAM_RESET: { status: 502, blame: 'upstream', retry: 'idempotent', doc: 'The upstream closed the connection before its answer was complete.' },
  UPSTREAM_PROTOCOL: { status: 502, blame: 'upstream', retry: 'never', doc: 'The answer of the upstream is not valid HTTP.' },
  ANSWER_TOO_LARGE: { status: 502, blame: 'upstream', retry: 'never', doc: 'The answer of the upstream is larger than may be held.' },
  UPSTREAM_TIMEOUT: { status: 504, blame: 'upstream', retry: 'idempotent', doc: 'The upstream did not answer in time.' },
  UPSTREAM_ANSWER_REFUSED: { status: 502, blame: 'upstream', retry: 'never', doc: 'The answer of the upstream does not fit the description of this API.' },
  UPSTREAM_BUSY: { status: 503, blame: 'upstream', retry: 'unsent', doc: 'Too many requests are waiting for the upstream.' },

  AGENT_NOT_CONNECTED: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route is not connected.' },
  AGENT_NOT_CONFIGURED: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route refused its configuration.' },
  AGENT_QUEUE_FULL: { status: 503, blame: 'agent', retry: 'never', doc: 'Too many calls wait for an agent of this route.' },
  AGENT_BREAKER_OPEN: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route failed too often and is left alone for a while.' },
  AGENT_TIMEOUT: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route did not decide in time.' },
  AGENT_STREAM_RESET: { status: 503, blame: 'agent', retry: 'never', doc: 'The connection to an agent of this route broke.' },
  AGENT_BAD_REPLY: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route answered something that is not valid.' },
  AGENT_ERROR: { status: 503, blame: 'agent', retry: 'never', doc: 'An agent of this route could not decide.' },
  AGENT_BODY_TOO_LARGE: { status: 413, blame: 'client', retry: 'never', doc: 'The body is larger than an agent of this route may inspect.' },
  AGENT_ANSWER_TOO_LARGE: { status: 502, blame: 'agent', retry: 'never', doc: 'The answer is larger than an agent of this route may inspect.' },
  AGENT_ANSWER_UNREADABLE: { status: 502, blame: 'upstream', retry: 'never', doc: 'The answer cannot be read in one way only, as an agent of this route has to.' },
  AUTH_UNAVAILABLE: { status: 503, blame: 'agent', retry: 'never', doc: 'The service that says who may come in gave no usable answer.' },

  FILE_UNREADABLE: { status: 403, blame: 'sentinel', retry: 'never', doc: 'The proxy has no permission to read a file.' },
  FILE_CHANGED: { status: 500, blame: 'sentinel', retry: 'never', doc: 'A file became shorter while it was sent.' },
  ROUTE_BUSY: { status: 503, blame: 'sentinel', retry: 'never', doc: 'Too many requests are being served on this route.' },
  TUNNELS_FULL: { status: 503, blame: 'sentinel', retry: 'never', doc: 'Too many WebSockets are open.' },
  TUNNEL_IDLE: { status: 0, blame: 'sentinel', retry: 'never', doc: 'Neither side of a tunnel said anything for too long.' },
  LIMIT_UNKNOWN: { status: 503, blame: 'sentinel', retry: 'never', doc: 'Whether a limit was reached could not be found out.' },
  OVERLOADED: { status: 503, blame: 'sentinel', retry: 'never', doc: 'Too many requests are being served.' },
  SHUTTING_DOWN: { status: 503, blame: 'sentinel', retry: 'never', doc: 'The proxy is shutting down.' },
  INJECTED: { status: 503, blame: 'sentinel', retry: 'never', doc: 'A filter made this request fail on purpose, for a test.' },
  NOT_BUILT: { status: 501, blame: 'sentinel', retry: 'never', doc: 'This route uses a feature that this version does not have yet.' },
  INTERNAL: { status: 500, blame: 'sentinel', retry: 'never', doc: 'A bug in Sentinel. Please report it with the request id.' },
} as const satisfies Record<string, FaultRow>

export type FaultCode = keyof typeof faults

/** Something that went wrong. `detail` is for the log, never for the client. */
export class Fault extends Error {
  readonly code: FaultCode
  readonly detail: string | undefined
  /** When asking again may help, where that is known. */
  retryAfterMs: number | undefined = undefined

  constructor (code: FaultCode, detail?: string, cause?: unknown) {
    super(detail === undefined ? code : `${code}: ${detail}`, cause === undefined ? undefined : { cause })
    this.name = 'Fault'
    this.code = code
    this.detail = detail
  }

  get row (): FaultRow {
    return faults[this.code]
  }

  /** Whatever was thrown, as a fault. What nobody foresaw is a bug: INTERNAL. */
  static from (error: unknown): Fault {
    if (error instanceof Fault) return error
    return new Fault('INTERNAL', error instanceof Error ? error.message : String(error), error)
  }
}

/** Thrown out of a body that flows: the exchange ends with this reply although the upstream is being talked to. */
export class Refusal extends Error {
  readonly reply: Reply

  constructor (reply: Reply) {
    super('refused while the body was flowing')
    this.name = 'Refusal'
    this.reply = reply
  }
}
