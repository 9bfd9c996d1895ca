import type { Body, MaybePromise } from './body.ts'
import type { FaultPages } from './fault-reply.ts'
import type { EndSignal } from './end-signal.ts'
import type { Fault } from './faults.ts'
import type { HeaderList } from './headers.ts'

/** The request as it will go on: filters edit it in place. */
export interface RequestHead {
  method: string
  readonly scheme: 'http' | 'https'
  /** Host and port as the client named them, lower case; "" when there was none (HTTP/1.0). */
  readonly authority: string
  /** Path as received, without the query: for agents and logs. */
  readonly rawPath: string
  /** Normalised path: what routes and agents judge (`readPath`). */
  path: string
  /** Path that goes to the upstream (`readPath`); a rewrite changes it together with `path`. */
  upstreamPath: string
  /** Query as received, without "?"; "" when there was none. */
  query: string
  readonly version: '1.0' | '1.1' | '2'
  readonly headers: HeaderList
}

export interface TlsFacts {
  readonly version: string
  readonly cipher: string
  readonly sni: string
  readonly clientSubject: string
  readonly clientSans: readonly string[]
  readonly clientFingerprint: string
}

/** Who is on the other side of the listener's connection. */
export interface Peer {
  /** An IP address; "unix:" for whoever came in through a Unix socket. */
  readonly address: string
  readonly port: number
  /** Where it came in; missing where nobody asks. */
  readonly localAddress?: string
  readonly localPort?: number
  readonly tls: TlsFacts | undefined
}

/** An answer, wherever it came from: an upstream, a filter, an agent, or a fault. */
export interface Reply {
  status: number
  headers: HeaderList
  body: Body | undefined
}

/**
 * What a client asks its connection (RFC 9110 section 7.8) or its stream (RFC 8441) to become: bytes both ways that only the two ends understand.
 *
 * Whoever accepts gives a reply of status 101 whose body is what the other end says; any other reply refuses. How a protocol spells this on
 * the wire (101, or 200 in HTTP/2) is known to listeners and upstreams alone.
 */
export interface Upgrade {
  readonly protocol: 'websocket'
  /** What the client says after the switch; nothing comes before it was accepted. Filters may wrap it. */
  input: Body
  /** Where the route lets messages be looked at: whoever wants to see them, in the order of the chain. Filters add themselves. */
  judges?: MessageJudge[] | undefined
}

/** A whole message of a WebSocket: put together, unmasked, unpacked. */
export interface TunnelMessage {
  readonly fromClient: boolean
  /** Text (valid UTF-8) without it. */
  readonly binary: boolean
  readonly data: Buffer
}

/** What becomes of a message. */
export type MessageVerdict =
  | { readonly kind: 'pass' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'replace', readonly binary: boolean, readonly data: Buffer }
  /** Both sides are told so. `fault`: nobody wanted that. */
  | { readonly kind: 'close', readonly code: number, readonly reason: string, readonly fault: Fault | undefined }

/** Somebody who is shown the messages of one tunnel. */
export interface MessageJudge {
  /** False once it wants to see no more of them. */
  readonly wanted: boolean
  /** One message of each direction at a time. Never rejects. */
  judge (message: TunnelMessage): MaybePromise<MessageVerdict>
}

/** An exchange as part of a trace (W3C Trace Context); each field in lower-case hexadecimal. */
export interface Trace {
  readonly traceId: string
  /** Of the proxy's own part. */
  readonly spanId: string
  /** Somebody collects it. */
  readonly sampled: boolean
  /** What is written down of it; `undefined` when it is not sampled. */
  readonly recording: Recording | undefined
}

/** Follows one exchange that is sampled. Nothing of it throws. */
export interface Recording {
  decided (record: DecisionRecord): void
  /** A filter has been entered. Gives what to call when it is through. */
  stepBegins (filter: string, phase: 'request' | 'response'): (outcome: 'passed' | 'answered' | Error) => void
  /** A connection to the target is wanted. */
  asks (target: string): void
  /** There is one: what goes out next says which part of the trace it is. */
  tryBegins (x: Exchange, target: string): TryRecording
  /** There will be none. */
  notAsked (target: string, error: unknown): void
}

/** How one try at a target goes: either `answered` or `failed`, and `over` in the end. */
export interface TryRecording {
  answered (status: number, ms: number): void
  failed (fault: Fault | undefined, ms: number): void
  broke (status: number, fault: Fault): void
  tunnelled (): void
  over (tunnel: boolean): void
}

/** The listener's side of an exchange. */
export interface Client {
  /** Head and body. Over (at once, or when the promise resolves) when the last byte was handed to the socket; fails with CLIENT_GONE or the body's own fault. */
  send (reply: Reply): MaybePromise<void>
  /** The head is out: a fault can no longer become an answer. */
  readonly began: boolean
  /** Cuts the connection (or stream), so that nobody takes half an answer for a whole one. */
  abort (): void
}

/** What was decided by whom: one row for each question put to an agent. */
export interface DecisionRecord {
  readonly agent: string
  readonly phase:
    | 'request-headers' | 'request-body' | 'response-headers' | 'response-body' | 'websocket-message' | 'tool-call' | 'tool-result' | 'guardrail'
  /** The tool that a call or a result is of. */
  readonly tool: string | undefined
  readonly mode: 'enforce' | 'monitor' | 'shadow' | 'dry-run'
  /** "allow", "flag", "review", "block", "redirect", "challenge", "redact", of a message also "drop", "replace", "close"; "failed" when there was none. */
  readonly verdict: string
  /** Whether it changed what happened: never in monitor, shadow and dry-run. */
  readonly applied: boolean
  /** Milliseconds from asking to applying. */
  readonly durationMs: number
  /** Status of the answer it makes (block, redirect …), else 0. */
  readonly status: number
  readonly fault: Fault | undefined
  /** With a fault: what the failure mode made of it. */
  readonly failureMode: 'open' | 'closed' | undefined
  readonly audit: AuditFacts | undefined
  /** Ticket of a review. */
  readonly ticket: string | undefined
  readonly configVersion: string
}

export interface AuditFacts {
  readonly ruleIds: readonly string[]
  readonly tags: readonly string[]
  readonly reason: string
  readonly severity: 'unspecified' | 'info' | 'low' | 'medium' | 'high' | 'critical'
  readonly confidence: number
  readonly redactions: readonly string[]
  readonly details: Readonly<Record<string, string>>
}

/** One try of an exchange that took several. */
export interface TryRecord {
  readonly target: string
  /** It was made because another one took long. */
  readonly hedge: boolean
  /** Of its answer; 0 when there was none. */
  readonly status: number
  /** Why there was none; with neither, it was given up because another one answered. */
  readonly fault: string | undefined
  readonly ms: number
  /** Why there was another one after it, as `retry-on` calls it, or the status. */
  readonly reason: string | undefined
}

/** A filter that was waited for, once for each side of the exchange on which it was. What is done at once is not measured. */
export interface WaitRecord {
  readonly filter: string
  readonly side: 'request' | 'response'
  /** Monotonic milliseconds, as `Exchange.startedMs`. */
  readonly sinceMs: number
  readonly ms: number
}

/** What a limit leaves a client, for its answer. */
export interface Quota {
  /** Which limit, as the operator named it. */
  readonly name: string
  /** Requests that may still come at once. */
  readonly remaining: number
  /** Until as many may as when none came before. */
  readonly resetMs: number
}

/** One step of a route. Hooks are plain closures; a missing one costs nothing. */
export interface Filter {
  readonly name: string
  /** Ordinary exchanges pass it untouched. */
  readonly tunnelsOnly?: boolean
  /** Returns a reply to answer here: neither later filters nor the upstream are asked. May wrap `x.requestBody`. */
  readonly onRequest?: (x: Exchange) => MaybePromise<Reply | undefined>
  /** Returns another reply to put in the place of the one given; may edit it or wrap its body instead. */
  readonly onResponse?: (x: Exchange, reply: Reply) => MaybePromise<Reply | undefined>
  /** Always runs, last, whatever happened. Must not throw. */
  readonly onDone?: (x: Exchange) => void
}

/** Gives a reply for an exchange that no filter answered: an upstream or a service. Rejects with a `Fault`. */
export interface Responder {
  readonly name: string
  respond (x: Exchange): MaybePromise<Reply>
}

/** A route, compiled. The arrays hold only hooks that exist, in the order they run. */
export interface Route {
  readonly name: string
  /** Where it stands; missing outside of namespaces. */
  readonly namespace?: string | undefined
  readonly service?: string | undefined
  readonly filters: readonly Filter[]
  readonly responder: Responder
  /** Largest request body in bytes. */
  readonly maxBodyBytes: number
  /** Requests may ask to become tunnels. */
  readonly upgrades?: boolean
  /** The operator's own pages for errors. */
  readonly faultPages?: FaultPages | undefined
}

/**
 * One request and what became of it. Every field exists from the start, so that all exchanges share one shape.
 */
export class Exchange {
  /** Request id: in the answer (`x-request-id`), the log, evidence and the upstream's request. */
  readonly id: string
  /** Monotonic milliseconds (`performance.now`). */
  readonly startedMs: number
  readonly listener: string
  readonly peer: Peer
  readonly request: RequestHead
  /** `undefined` when the request has none. */
  requestBody: Body | undefined
  /** Says that the client went away, or that the exchange is over. */
  readonly ending: EndSignal
  /** `undefined` for ordinary requests. A request that asks for one has no body. */
  readonly upgrade: Upgrade | undefined
  /** Sends an interim answer (1xx but 100 and 101) on to the client; `undefined` when it knows none (HTTP/1.0). Not after the answer has begun. */
  interim: ((status: number, headers: HeaderList) => void) | undefined = undefined
  /** The client said that it reads fields behind the body (`TE: trailers`, RFC 9110 section 10.1.4). */
  takesTrailers = false

  /** Client address and port after trusted-proxy rules. */
  clientIp: string
  clientPort: number
  route: Route | undefined = undefined
  /** Who answers in place of the route's responder, when an agent chose so. */
  responder: Responder | undefined = undefined
  /** How many of the route's filters were entered: only they see the reply. */
  entered = 0
  reply: Reply | undefined = undefined
  fault: Fault | undefined = undefined
  /** Facts attached by filters and agents, for later ones and the log. */
  attributes: Map<string, string> | undefined = undefined
  decisions: DecisionRecord[] | undefined = undefined
  /** `undefined` where nothing is traced. */
  trace: Trace | undefined = undefined
  /** Of the limit that leaves the least of those that it passed. */
  quota: Quota | undefined = undefined
  /** What it will cost a language model, as far as somebody guessed; 0 = nobody did. */
  tokens = 0
  /** How kept answers were used: "hit", "stale", "revalidated", "miss", "bypass"; "" where none are kept. */
  cache = ''
  /** Request fields that an agent has set, in lower case. */
  edited: Set<string> | undefined = undefined
  upstream = ''
  target = ''
  tries = 0
  /** Each of them in order of their ends, where there were several and the route says something about that. */
  attempts: TryRecord[] | undefined = undefined
  /** What spoke against another try that the route's policy would have had: `body` = it is too large to be kept, `budget`, `time` = of the whole exchange. */
  notRetried: 'body' | 'budget' | 'time' | undefined = undefined
  /** Milliseconds that it waited for a place among the requests in flight. */
  queuedMs = 0
  /** In order of their ends. */
  waits: WaitRecord[] | undefined = undefined
  /** Monotonic milliseconds: when the try that was answered, or else the last one, had its place on a connection; 0 without one. */
  askedMs = 0
  /** Milliseconds before that, for a connection that others had or that was to be shared. */
  poolMs = 0
  /** Milliseconds until a connection that was opened for it stood, the name of its target looked up, and for the TLS handshake behind that; 0 on one that was there. */
  connectMs = 0
  tlsMs = 0
  /** Milliseconds from `askedMs` to the upstream's response head; 0 without one. */
  upstreamMs = 0
  /** Milliseconds from the start until the answer was given to the client's connection; 0 when it never was. */
  firstByteMs = 0
  requestBytes = 0
  responseBytes = 0
  durationMs = 0

  constructor (init: Pick<Exchange, 'id' | 'startedMs' | 'listener' | 'peer' | 'request' | 'requestBody' | 'ending'> & { readonly upgrade?: Upgrade | undefined }) {
    this.id = init.id
    this.startedMs = init.startedMs
    this.listener = init.listener
    this.peer = init.peer
    this.request = init.request
    this.requestBody = init.requestBody
    this.ending = init.ending
    this.upgrade = init.upgrade
    this.clientIp = init.peer.address
    this.clientPort = init.peer.port
  }

  setAttribute (name: string, value: string): void {
    (this.attributes ??= new Map()).set(name, value)
  }

  /** @param sinceMs Monotonic: when the wait began that is over now. */
  recordWait (filter: string, side: WaitRecord['side'], sinceMs: number): void {
    (this.waits ??= []).push({ filter, side, sinceMs, ms: performance.now() - sinceMs })
  }

  recordDecision (record: DecisionRecord): void {
    (this.decisions ??= []).push(record)
    this.trace?.recording?.decided(record)
  }
}
