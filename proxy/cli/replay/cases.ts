import type { PlainObject } from '../../../proto/message-json.ts'

/** One event as it was put to an agent, as the file has it. */
export interface AskedCase {
  readonly event: PlainObject
  /** Present when an answer was awaited. */
  readonly timeoutMs: number | undefined
  readonly reply: PlainObject | undefined
  /** Code of the fault when there was none. */
  readonly failed: string | undefined
}

export interface AgentCase {
  readonly agent: string
  readonly mode: string
  readonly asked: readonly AskedCase[]
}

/** One exchange to be put again. */
export interface Case {
  /** "cases.jsonl:12": where it stands. */
  readonly at: string
  readonly id: string
  readonly route: string
  /** "GET host/path?query". */
  readonly line: string
  readonly agents: readonly AgentCase[]
  /** What the client got, as far as that was recorded. */
  readonly response: { readonly status: number, readonly headers: readonly string[] } | undefined
  /** What was taken out or is not known. */
  readonly missing: readonly string[]
  /** It holds verdict, status and rules alone. */
  readonly receipt: boolean
}

export interface Cases {
  readonly cases: readonly Case[]
  /** As the file says of itself: what was recorded of bodies and secrets. `undefined` for evidence. */
  readonly terms: { readonly bodies: boolean, readonly unredacted: boolean } | undefined
  /** What has to be known of the file as a whole, a sentence each. */
  readonly notes: readonly string[]
}

/** The file is none that can be replayed; the message says at which line. */
export class NotReplayable extends Error {}
