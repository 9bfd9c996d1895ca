/** A line of an agent's log. The proxy merges it into its own, under the agent's name. */
export type LogLine = (fields: Readonly<Record<string, unknown>> | string, message?: string) => void

/** Never log secrets, bodies or whole headers: logs travel further than requests. */
export interface Log {
  readonly debug: LogLine
  readonly info: LogLine
  readonly warn: LogLine
  readonly error: LogLine
}
