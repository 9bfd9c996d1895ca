import type { FigureId } from './figures.ts'
import type { Load, Target } from './load/driven.ts'
import type { UpstreamId } from './upstreams/upstreams.ts'

/** A table of the page. */
export interface Part {
  readonly id: string
  readonly title: string
  /** Begins with a small letter and ends without a stop. */
  readonly conditions: string
  /** What is counted: "request", "message". */
  readonly unit: string
  /** The first is the one that is compared. */
  readonly figures: readonly FigureId[]
  /** With whom; HAProxy unless it says otherwise. */
  readonly comparedWith?: string
  /** Half as many requests per second as this contender answered while it was warmed up, or the measured one when that is less. */
  readonly paceOf?: string
  /** How many are connected, when memory is to be divided by them. */
  readonly clients?: number
}

/** A way of using a proxy, and what to read off while it is used that way. */
export interface Case extends Part {
  /** Ids; in the order of `contenders`. */
  readonly contenders: readonly string[]
  readonly upstream: UpstreamId
  readonly path: string
  readonly secure?: boolean
  readonly websocket?: boolean
  readonly streaming?: boolean
  /** Answers come from files, not from the upstream. */
  readonly files?: boolean
  readonly workers?: number
  /** Throws when the contender answers wrongly, `Unfit` when it does not know how. */
  probe (target: Target): Promise<void>
  readonly load: Load
  /** How long a started program is left alone before its idle memory is read; default 1 s. */
  readonly settleMs?: number
  /** Another load to warm up with. */
  readonly warm?: Load
  /** Not warmed up: it is about what is there before. */
  readonly cold?: boolean
  /** Seconds until the compiler of a JavaScript proxy has settled, where the comparison is close; otherwise two rounds' time. */
  readonly warmUpSeconds?: number
  /** Content of one answer. */
  readonly bytes?: number
  /** Of the whole page's rounds; memory does not change from one to the next. */
  readonly rounds?: number
}
