import type { Change } from '../../config/schema/index.ts'
import type { KeptAnswers } from '../pipeline/kept-answers.ts'
import type { Problem } from '../../config/sentinel/index.ts'
import type { Seen, TailFilter } from '../pipeline/tail-filter.ts'

/** What the control socket can have done. Whoever runs the proxy provides it; plain data both ways. */
export interface Operations {
  /** As `GET /status` of the admin address tells it. */
  status (): object
  /** How agents do: state, load, failures, times. */
  agents (): Promise<readonly object[]>
  /** Takes over what the file says now: all of it, or nothing. Resolves when that is over. */
  reload (): Promise<ReloadOutcome>
  /** What a reload would do, without doing it. */
  plan (): Promise<PlanOutcome>
  /** Takes a target out of its upstream, or puts it back. False when there is no such target. */
  drain (upstream: string, target: string, on: boolean): boolean
  /** Calls `take` with what was seen of exchanges that fit, until the function it gives is called. Throws, with a sentence, when the filter cannot be. */
  tail (filter: TailFilter, take: (seen: Seen) => void): () => void
  /** What is kept of answers. */
  readonly answers: KeptAnswers
  /** Resolves when everything is over but the process itself. */
  stop (now: boolean): Promise<void>
  /** Hands the sockets to a new process. Rejects with a sentence for the operator, and has changed nothing then. */
  upgrade (): Promise<UpgradeOutcome>
}

export type ReloadOutcome =
  | { readonly ok: true, readonly version: string, readonly changed: boolean }
  | Refused

/** Nothing was changed. */
export interface Refused {
  readonly ok: false
  /** A sentence for the operator. */
  readonly error: string
  /** Those of the configuration, when it is what is wrong. */
  readonly problems: readonly Problem[]
}

export type PlanOutcome = Plan | Refused

export interface Plan {
  readonly ok: true
  readonly file: string
  readonly changes: readonly Change[]
  readonly restart: ReadonlyArray<{ readonly what: string, readonly why: string, readonly reload: 'refused' | 'ignored' }>
  readonly agents: ReadonlyArray<{ readonly agent: string, readonly what: string }>
  readonly cuts: Cuts
}

/** What is open now and would be ended when the time for finishing is over, unless it has finished by then. */
export interface Cuts {
  /** How long it may go on. */
  readonly graceMs: number
  /** Client connections of listeners that go, by listener. */
  readonly connections: ReadonlyArray<{ readonly listener: string, readonly open: number }>
  /** Exchanges, streams and tunnels among them, with targets that go. */
  readonly exchanges: ReadonlyArray<{ readonly upstream: string, readonly target: string, readonly open: number }>
}

export interface UpgradeOutcome {
  /** Of the process that serves from now on. */
  readonly pid: number
}
