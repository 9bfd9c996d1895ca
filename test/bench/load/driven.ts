/** What a stretch of load saw. */
export interface Driven {
  /** Requests that were answered, messages that came back, events that arrived. */
  readonly count: number
  /** Answers that were wrong, and broken connections. One is too many. */
  readonly failed: number
  /** What went wrong first, if the load can say so. */
  readonly reason?: string | undefined
  readonly seconds: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Bytes of content, when the load counts them instead of looking at them. */
  readonly bytes?: number
  /** From 0 to 1: how many TLS connections were resumed. */
  readonly resumed?: number
  /** How late the load itself was, when it has a timetable. */
  readonly lateP99Ms?: number
}

/** Where to. */
export interface Target {
  readonly port: number
  readonly secure: boolean
  readonly path: string
  /** Files of this load may lie here. */
  readonly folder: string
  /** Requests per second; undefined is as many as can be answered. */
  readonly perSecond: number | undefined
}

/** Load that is in place: whoever has to be connected is. */
export interface Stretch {
  run (seconds: number): Promise<Driven>
  /** Lets everybody go. */
  end (): Promise<void>
}

export type Load = (target: Target) => Promise<Stretch>
