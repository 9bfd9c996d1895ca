import type { DescribeResponse } from '../../../proto/codec/index.ts'
import type { AgentTarget } from '../settings.ts'

/** Whom the checks are about. */
export interface Subject {
  readonly target: AgentTarget
  /** For each connection and each answer. */
  readonly timeoutMs: number
  /** JSON that it takes as its configuration. */
  readonly config: string
  /** As it described itself before the checks. */
  readonly describe: DescribeResponse
  /** Of its process, when it may be told to stop. */
  readonly pid: number | undefined
}

export interface Check {
  readonly id: string
  /** What an agent has to do, in one sentence. */
  readonly rule: string
  /** Resolves when it does; rejects with `NotApplicable` when it cannot be seen here, with anything else when it does not. */
  readonly run: (subject: Subject) => Promise<void>
}

export interface Checked {
  readonly id: string
  readonly rule: string
  readonly outcome: 'passed' | 'failed' | 'not-applicable'
  /** Why it failed or does not apply; "" when it passed. */
  readonly detail: string
  readonly ms: number
}

/** The agent did otherwise; the message says what. */
export class Broken extends Error {}

/** The check says nothing of this agent; the message says why. */
export class NotApplicable extends Error {}
