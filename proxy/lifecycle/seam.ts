import type { Socket } from 'node:net'
import type { SentinelConfig } from '../../config/sentinel/index.ts'
import type { AgentReport } from '../../proto/codec/index.ts'
import type { Entry } from '../evidence/chain.ts'
import type { TargetSettings } from '../upstreams/index.ts'
import type { HeldSocket } from '../listeners/index.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { TalkFacts } from './agent-facts.ts'
import type { Seen, TailFilter } from '../pipeline/tail-filter.ts'
import type { Evidence, GateEvidence, HealthOrders } from '../upstreams/index.ts'

/**
 * The seam between main and the data path. Main reads the configuration, owns the listening sockets, the programs of agents and all that must be
 * there once; the data path serves. What passes is plain data and sockets, so that the two may be one process or several: who is on which side knows
 * nothing of that.
 */

/** Where an agent is to be found. */
export interface AgentPlace {
  readonly id: string
  /** Of an agent that is reached over a Unix socket. */
  readonly socket: string | undefined
  /** Main runs its program. */
  readonly managed: boolean
}

/** A configuration with all that main has made ready for it. */
export interface Load {
  /** Counts up; names what came of this configuration. */
  readonly generation: number
  readonly config: SentinelConfig
  readonly agents: readonly AgentPlace[]
  /** By the id of the listener. Bound, and perhaps listened on by nobody. */
  readonly sockets: ReadonlyMap<string, HeldSocket>
  /** Another configuration serves, and goes on when an agent is missing or refuses; without one, its failure mode is better than nothing. */
  readonly strict: boolean
  /** Whether decisions are recorded. */
  readonly evidence: boolean
  /** Targets that were found, by the key of the discovery. */
  readonly discovered: ReadonlyMap<string, readonly TargetSettings[]>
  /** How long agents that are new are waited for. */
  readonly agentStartMs: number
  /** What is known of targets by now. */
  readonly health: HealthOrders
}

/** What main asks of the data path. */
export interface DataPath {
  /** Builds what a configuration asks for beside what runs, listens on its new sockets, and waits for its agents. Rejects, and has changed nothing, when it cannot be. */
  prepare (load: Load): Promise<void>
  /** What was prepared is what runs from now on. What came before finishes its exchanges and is then `retired`. */
  commit (): Promise<void>
  /** What was prepared is let go of. */
  abort (): Promise<void>
  /** Accepts nobody any more through the sockets of these keys (`socketKey`), to make room for others on the same ports. */
  suspend (sockets: readonly string[]): Promise<void>
  /** The same addresses, bound anew: nothing came of the others. */
  resume (sockets: ReadonlyMap<string, HeldSocket>): Promise<void>
  /** Opens log files anew. Rejects when one cannot be opened: the old one stays in use. */
  reopenLogs (): Promise<void>
  /** What tickets of TLS sessions are sealed with from now on. */
  renewTickets (secret: Buffer): void
  /** The program of an agent was started: it is worth to connect at once. */
  agentStarted (place: AgentPlace): void
  /** An agent, or somebody else, has connected to the reverse-listener of this key (`reverseKey`). Nothing was read from it. */
  agentArrived (listener: string, socket: Socket): void
  /** Agents that wait for a place are sent away: another process has places for them, and finds them when they come again. */
  turnAgentsAway (): void
  /** The targets that a discovery found have become others. */
  discovered (key: string, targets: readonly TargetSettings[]): void
  /** Something was found out about targets. */
  health (orders: HealthOrders): void
  /** Somebody looks at exchanges that fit, as they end, until it is `undefined`. What is seen is told by `seen`. Throws when the filter cannot be. */
  tail (id: number, filter: TailFilter | undefined): void
  /** What is known of it; some time may have passed since. */
  facts (): PathFacts
  /** The answers that it keeps. */
  readonly answers: KeptAnswers
  /** Resolves when `facts` and metrics are of this moment, or soon after: a busy worker is not waited for. */
  refresh (): Promise<void>
  /** Accepts nobody any more, lets open exchanges end, and cuts what is left after `graceMs`. Again, when it is to be over sooner. */
  close (graceMs: number): Promise<void>
}

/** What is seen of the data path from outside. */
export interface PathFacts {
  /** Open connections by the id of the listener. */
  readonly connections: ReadonlyMap<string, number>
  readonly agents: ReadonlyMap<string, AgentFacts>
  /** Targets by the id of their upstream. */
  readonly upstreams: ReadonlyMap<string, readonly TargetFacts[]>
  /** Where processes of their own serve. */
  readonly workers?: readonly WorkerFacts[]
}

export interface WorkerFacts {
  readonly number: number
  /** `null` while there is none. */
  readonly pid: number | null
  readonly state: 'starting' | 'serving'
  readonly connections: number
}

export interface TargetFacts {
  readonly name: string
  /** Exchanges that it has now, tunnels among them. */
  readonly exchanges: number
  readonly connections: number
}

/** A setting of a `config` block that an agent does not take. */
export interface RefusedSetting {
  readonly path: readonly string[]
  readonly message: string
  readonly hint: string
}

export interface AgentFacts {
  readonly state: string
  /** Why it is not ready, when that is known. */
  readonly problem: string | undefined
  /** Version of its configuration that is active; "" before there is one. */
  readonly configVersion: string
  /** What it has against its configuration. */
  readonly refusals: readonly RefusedSetting[]
  readonly talk: TalkFacts
}

/** What is seen of an agent: it serves; it had, and says nothing any more; nothing is known of it. */
export type LifeSign = 'ready' | 'stalled' | 'backoff'

/** What the data path asks of main. */
export interface MainSide {
  /** Nothing of the configuration with this number is in use any more. */
  retired (generation: number): void
  /** A record for the evidence file of this configuration. */
  evidence (generation: number, entry: Entry): void
  /** An agent says how it does. Each connection of each worker hears it. */
  agentReport (agent: string, report: AgentReport): void
  /** What is seen of an agent whose program main runs. */
  agentSign (agent: string, sign: LifeSign): void
  /** Records were lost on their way. */
  evidenceLost (generation: number, count: number): void
  /** For who looks on under this number; `sent` is called when there is room for more. */
  seen (tail: number, seen: Seen, sent: () => void): void
  /** How tries at targets ended, and exchanges behind gates. */
  heard (evidence: Evidence): void
  heardAt (evidence: GateEvidence): void
  /** What the proxy as a whole says of itself. Rejects when it cannot be made. */
  page (name: PageName): Promise<Page>
  /** The answers that all processes keep, whoever asks. */
  readonly answers: KeptAnswers
}

/** Pages that only main can make. */
export type PageName = 'status' | 'ready' | 'metrics' | 'config' | 'upstreams'

export interface Page {
  readonly status: number
  /** Its media type. */
  readonly type: string
  readonly body: string
}

/** Something that keeps a configuration from being taken over; the message is for the operator. */
export class LoadError extends Error {
  constructor (message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'LoadError'
  }
}
