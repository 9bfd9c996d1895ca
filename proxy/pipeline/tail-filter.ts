/** Which exchanges somebody wants to see. Of each kind that is given one has to fit; what is empty asks for nothing. Plain data. */
export interface TailFilter {
  /** Names of routes. */
  readonly routes: readonly string[]
  /** From and to, both among them; 0 is the status of what had no answer. */
  readonly statuses: ReadonlyArray<readonly [from: number, to: number]>
  /** Agents that decided something. */
  readonly agents: readonly string[]
  /** Addresses and networks of clients. */
  readonly ips: readonly string[]
  readonly methods: readonly string[]
  /** What the path begins with; with `*` in it, the whole path, `*` standing for anything. */
  readonly paths: readonly string[]
  /** In place of a line of the access log: what agents were asked about it and what they said. */
  readonly record?: RecordTerms
}

/** What is written down of what agents were shown. */
export interface RecordTerms {
  /** Bodies, as far as `maxBodyBytes` of each; without it only how long they are. */
  readonly bodies: boolean
  readonly maxBodyBytes: number
  /** With secrets as they are. */
  readonly unredacted: boolean
}

/** What was seen since the last time: lines of JSON without their ends, and how many more there were than could be kept. */
export interface Seen {
  readonly lines: readonly string[]
  readonly lost: number
}
