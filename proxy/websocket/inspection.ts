import type { Body } from '../pipeline/body.ts'
import type { MessageJudge, MessageVerdict } from '../pipeline/exchange.ts'
import type { HeaderList } from '../pipeline/headers.ts'
import type { Violation } from './frame-head.ts'
import type { Agreed, Packing } from './inspect/extensions.ts'
import type { InspectorSettings } from './inspect/inspector.ts'

export type MessageOutcome = 'passed' | 'dropped' | 'replaced' | 'closed'

/** "in" from the client, "out" to it. */
export type MessageJudged = (direction: 'in' | 'out', outcome: MessageOutcome) => void

export interface InspectorEvents {
  /** Bytes came from the sender. */
  heard (): void
  violated (violation: Violation): void
  /** Somebody wants the tunnel to end. */
  closed (why: Extract<MessageVerdict, { kind: 'close' }>): void
}

/** One direction of a tunnel whose messages are looked at. */
export interface Inspected extends Body {
  /** A message is with those who judge it: nothing is read, so that nobody knows whether its sender says something. */
  readonly waiting: boolean
  begin (judges: readonly MessageJudge[], packing: Packing | undefined): void
}

/** What looking into messages needs; loaded only where a route wants that. */
export interface Inspection {
  readonly keepReadableOffers: (headers: HeaderList) => void
  readonly agreedPacking: (headers: HeaderList) => Agreed | undefined
  readonly inspect: (source: Body, settings: InspectorSettings) => Inspected
}
