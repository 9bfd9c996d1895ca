import type { Socket } from 'node:net'
import { maxAgentMessageBytes, type AgentReport, type EventKind } from '../../proto/codec/index.ts'
import type { TapPlace } from '../pipeline/agent-tap.ts'
import type { BreakerSettings, BreakerState } from '../pipeline/breaker.ts'
import type { HealthPollSettings } from './health-poll.ts'
import type { RetrySettings } from './retry.ts'

/** Where an agent listens. */
export type AgentTarget =
  | { readonly path: string }
  | { readonly host: string, readonly port: number, readonly tls?: AgentTls }

/** Where an agent is reached, or where those arrive that come by themselves. */
export type AgentSource = AgentTarget | { readonly arrivals: Arriving }

/** Connections that an agent makes to the proxy. */
export interface Arriving {
  /** Calls `take` with a connection when there is one for it, at once or later. Returns how to wait no longer. */
  wait (take: (socket: Socket) => void): () => void
}

export interface AgentTls {
  /** PEM. Without `ca` the system's authorities count. */
  readonly ca?: string | Buffer
  readonly cert?: string | Buffer
  readonly key?: string | Buffer
  /** Name in the agent's certificate, when it is not the host. */
  readonly serverName?: string
  /** Take any certificate: TLS protects nothing then. */
  readonly insecureSkipVerify?: boolean
}

/** The operator's `config {}` block as JSON, and a name for it. */
export interface AgentConfiguration {
  readonly json: string
  readonly version: string
}

export type AgentState =
  /** Never been there yet. */
  | 'connecting'
  | 'ready'
  /** Connected, but it gives no sign of life: new calls fail at once, open ones run into their deadlines. */
  | 'stalled'
  /** It says of itself, by its health service, that it takes nothing now. */
  | 'not-serving'
  /** It did not take its configuration. */
  | 'refused'
  /** It speaks another version, or does not offer the events that the configuration lists. */
  | 'incompatible'
  /** Lost, or never found; another attempt is coming. */
  | 'backoff'
  | 'draining'
  | 'closed'

/** Replies that fit nothing the proxy asked. Counted and logged, never applied. */
export type ProtocolFault = 'unknown' | 'late' | 'duplicate' | 'wrong_phase' | 'malformed'

export interface AgentOptions {
  readonly id: string
  readonly target: AgentSource
  readonly config: AgentConfiguration
  /** Events the configuration lists; all that the agent describes when absent. */
  readonly events?: readonly EventKind[] | undefined
  /** Connections, each with one stream for all its exchanges (1). */
  readonly connections?: number
  /** Calls that wait for their answers at once (100), and calls that wait for one of those places (100). */
  readonly maxConcurrentCalls?: number
  readonly maxQueuedCalls?: number
  /** Pauses between attempts to connect (20, 5 000). */
  readonly reconnectInitialMs?: number
  readonly reconnectMaxMs?: number
  /** For the connection and Describe (5 000), and for Configure, which may compile rules (30 000). */
  readonly connectTimeoutMs?: number
  readonly configureTimeoutMs?: number
  /** Silence after which the agent is asked for a sign of life (1 000), and how long it may take to give one (2 000). */
  readonly pingIntervalMs?: number
  readonly pingTimeoutMs?: number
  /** Largest message taken from the agent (16 MiB). */
  readonly maxMessageBytes?: number
  /** A question about a head is put again while nobody was there to answer it. */
  readonly retry?: RetrySettings | undefined
  /** It is asked again and again whether it is well. */
  readonly healthPoll?: HealthPollSettings | undefined
  /** It is left alone when it keeps failing. */
  readonly breaker?: BreakerSettings | undefined
  readonly onBreaker?: (state: BreakerState) => void
  readonly onState?: (state: AgentState, why: string | undefined) => void
  /** What it says of its health, its load and its own figures. */
  readonly onReport?: (report: AgentReport) => void
  readonly onProtocolFault?: (kind: ProtocolFault, detail: string) => void
  /** Who looks on at what is said to it. */
  readonly taps?: TapPlace | undefined
  /** Each answered or failed call: milliseconds, and "ok" or the fault's code. For histograms. */
  readonly observe?: (durationMs: number, outcome: string) => void
}

type Optional = 'events' | 'retry' | 'onState' | 'breaker' | 'healthPoll' | 'taps'

export type Settings = Required<Omit<AgentOptions, Optional>> & Pick<AgentOptions, Optional>

export function withDefaults (options: AgentOptions): Settings {
  return {
    connections: 1,
    maxConcurrentCalls: 100,
    maxQueuedCalls: 100,
    reconnectInitialMs: 20,
    reconnectMaxMs: 5_000,
    connectTimeoutMs: 5_000,
    configureTimeoutMs: 30_000,
    pingIntervalMs: 1_000,
    pingTimeoutMs: 2_000,
    maxMessageBytes: maxAgentMessageBytes,
    onProtocolFault () {},
    onReport () {},
    observe () {},
    onBreaker () {},
    ...options,
  }
}
