/** What `GET /agents` of the control socket tells of each agent: names, states and counts since the start, of all workers together. */
export interface AgentJson {
  readonly id: string
  readonly state: string
  readonly managed: boolean
  readonly pid: number | null
  readonly restarts: number
  readonly mode: string
  readonly failure_mode: string
  /** The agent's own; "" before it was there. */
  readonly version: string
  /** Name of the configuration that it has; "" before there is one. */
  readonly config_version: string
  /** Questions that wait for their answers, and those that wait for a place. */
  readonly in_flight: number
  readonly queued: number
  /** `null` for an agent without a circuit breaker. */
  readonly breaker: 'closed' | 'half-open' | 'open' | null
  /** Questions that were put. */
  readonly calls: number
  /** Decisions that were not had, whatever the reason: an answer that could not be applied, nobody there to be asked. */
  readonly failures: number
  readonly protocol_faults: number
  readonly reconnects: number
  /** From asking to applying; `null` before there was a decision. */
  readonly latency_ms: { readonly mean: number, readonly p50: number, readonly p99: number } | null
  /** Why it is not ready. */
  readonly problem?: string
  readonly last_failure?: { readonly code: string, readonly detail: string, readonly at: string }
}
