import type { AgentReport } from '../../../proto/codec/index.ts'
import type { Entry } from '../../evidence/chain.ts'
import type { Counts } from '../../observe/gather.ts'
import type { Evidence, GateEvidence, HealthOrders, TargetSettings } from '../../upstreams/index.ts'
import type { KeptFacts, Purge, PurgeOutcome } from '../../pipeline/kept-answers.ts'
import type { AgentFacts, AgentPlace, LifeSign, Page, PageName, TargetFacts } from '../seam.ts'
import type { Seen, TailFilter } from '../../pipeline/tail-filter.ts'
import type { RateGrant, RateMessage } from './rate-messages.ts'
import type { PlainConfig } from './config-transfer.ts'

/** `Load`, as it is sent: sockets have gone ahead, and are named by number. */
export interface PlainLoad {
  readonly generation: number
  readonly config: PlainConfig
  readonly agents: readonly AgentPlace[]
  readonly sockets: ReadonlyArray<readonly [listener: string, socket: number]>
  readonly evidence: boolean
  readonly health: HealthOrders
  readonly discovered: ReadonlyArray<readonly [key: string, targets: readonly TargetSettings[]]>
  readonly agentStartMs: number
  readonly strict: boolean
}

/** What a worker is told first. */
export interface Introduction {
  readonly number: number
  readonly workers: number
  readonly ticketSecret: Uint8Array
  readonly cookieSecret: string
}

/** Main asks, the worker answers with `done`. */
export type Question =
  | { readonly ask: 'prepare', readonly load: PlainLoad }
  | { readonly ask: 'commit' }
  | { readonly ask: 'abort' }
  | { readonly ask: 'suspend', readonly sockets: readonly string[] }
  /** By `socketKey`, with the number under which it went ahead. */
  | { readonly ask: 'resume', readonly sockets: ReadonlyArray<readonly [key: string, socket: number]> }
  | { readonly ask: 'reopenLogs' }
  | { readonly ask: 'close', readonly graceMs: number }
  /** Whether it still turns. */
  | { readonly ask: 'ping' }
  /** What it has counted, for somebody who reads it now. */
  | { readonly ask: 'tell' }
  /** Lets go of answers that it keeps; what it counts of them. */
  | { readonly ask: 'purge', readonly what: Purge }
  | { readonly ask: 'kept' }
  /** Gives back what it has of a limit and does not use. */
  | { readonly ask: 'recall', readonly share: string }
  | { readonly ask: 'recallRate', readonly limit: number, readonly key: string }

/** What comes of a question that is more than that it is done. */
export type Result = PurgeOutcome | KeptFacts | Page

/** What a worker may want to have done in all of them, or to be told by main. */
export type AskAll = Extract<Question, { ask: 'purge' | 'kept' }> | { readonly ask: 'page', readonly name: PageName }

export type ToWorker =
  | { readonly to: 'begin', readonly introduction: Introduction }
  /** Comes with the handle. */
  | { readonly to: 'socket', readonly socket: number, readonly address: string }
  | { readonly to: 'renewTickets', readonly secret: Uint8Array }
  | { readonly to: 'health', readonly orders: HealthOrders }
  | { readonly to: 'discovered', readonly key: string, readonly targets: readonly TargetSettings[] }
  /** Somebody looks at exchanges that fit; without a filter, nobody under this number does. */
  | { readonly to: 'tail', readonly id: number, readonly filter?: TailFilter }
  /** Comes with the socket. */
  | { readonly to: 'agentArrived', readonly listener: string }
  | { readonly to: 'turnAgentsAway' }
  | { readonly to: 'agentStarted', readonly place: AgentPlace }
  | { readonly to: 'lent', readonly share: string, readonly count: number }
  /** What came of `askAll`. */
  | { readonly to: 'told', readonly id: number, readonly result?: Result, readonly error?: string }
  | { readonly to: 'rates', readonly grants: readonly RateGrant[] }
  | { readonly to: 'answer', readonly id: number, readonly question: Question }

export interface PlainFacts {
  readonly connections: ReadonlyArray<readonly [listener: string, count: number]>
  readonly agents: ReadonlyArray<readonly [agent: string, facts: AgentFacts]>
  readonly upstreams: ReadonlyArray<readonly [upstream: string, targets: readonly TargetFacts[]]>
}

export type ToMain =
  /** Its program is loaded: it can be told to begin. */
  | { readonly from: 'loaded' }
  | { readonly from: 'done', readonly id: number, readonly error?: string, readonly result?: Result }
  /** For all workers, itself among them. */
  | { readonly from: 'askAll', readonly id: number, readonly question: AskAll }
  | { readonly from: 'retired', readonly generation: number }
  | { readonly from: 'evidence', readonly generation: number, readonly entries: readonly Entry[], readonly dropped: number }
  | { readonly from: 'heard', readonly tries: readonly Evidence[], readonly gates: readonly GateEvidence[] }
  | { readonly from: 'seen', readonly tail: number, readonly seen: Seen }
  | { readonly from: 'agentReport', readonly agent: string, readonly report: AgentReport }
  | { readonly from: 'agentSign', readonly agent: string, readonly sign: LifeSign }
  | { readonly from: 'counts', readonly counts: Counts, readonly facts: PlainFacts }
  /** Asks for more of a limit. `lent` answers, with 0 when there is nothing. */
  | { readonly from: 'want', readonly share: string, readonly count: number, readonly limit: number }
  | { readonly from: 'owe', readonly share: string, readonly count: number }
  /** Of limits of requests in a time. */
  | { readonly from: 'rates', readonly rates: RateMessage }
  | { readonly from: 'giveBack', readonly share: string, readonly count: number }
