import type { Event, Reply } from '../../proto/codec/index.ts'
import type { Fault } from './faults.ts'

/** Somebody who looks at what passes between the proxy and its agents. Nothing of it throws. */
export interface AgentTap {
  /** An exchange begins to be talked about with this agent. */
  begin (agent: string): TalkTap
}

export interface TalkTap {
  asked (event: Event): void
  answered (reply: Reply): void
  /** There will be no answer to this event. */
  failed (sequence: number, fault: Fault): void
  /** It is said anew, on another connection: what was said so far does not count. */
  again (): void
  /** Nothing more is said or awaited. */
  over (): void
}

/** Where a tap is put while somebody looks on. */
export interface TapPlace {
  tap: AgentTap | undefined
}
