/** A line of an agent's log. The proxy merges it into its own, under the agent's name. */
export type LogLine = (fields: Readonly<Record<string, unknown>> | string, message?: string) => void

/** Never log secrets, bodies or whole headers: logs travel further than requests. */
export interface Log {
  /** For whoever looks for a mistake; not written unless `--log-level debug`. */
  readonly debug: LogLine
  /** Worth knowing, nothing to do. */
  readonly info: LogLine
  /** Somebody should look at it. */
  readonly warn: LogLine
  /** Something failed. */
  readonly error: LogLine
}
