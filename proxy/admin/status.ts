/** What `GET /status` tells. Names and states only: no settings, so nothing secret can be among them. */
export interface StatusJson {
  readonly version: string
  readonly node: string
  readonly pid: number
  readonly uptime_s: number
  readonly state: 'starting' | 'running' | 'draining'
  readonly config: {
    readonly file: string
    /** Digest of the running configuration. */
    readonly version: string
    /** ISO time. */
    readonly loaded_at: string
    /** Absent until there was one. */
    readonly last_reload?: { readonly at: string, readonly ok: boolean, readonly error?: string }
    /** Why the last reload changed nothing; absent when it worked. */
    readonly last_error?: string
  }
  readonly listeners: readonly { readonly id: string, readonly address: string, readonly protocol: string, readonly connections: number }[]
  /** Processes that serve; absent where one process does everything. */
  readonly workers?: readonly { readonly number: number, readonly pid: number | null, readonly state: 'starting' | 'serving', readonly connections: number }[]
  readonly routes: readonly {
    readonly id: string
    readonly upstream: string | null
    /** The status of a fixed answer, or what else answers without an upstream. */
    readonly responds: number | string | null
    readonly agents: readonly string[]
  }[]
  readonly upstreams: readonly {
    readonly id: string
    readonly targets: readonly TargetJson[]
    /** How the question for more targets went last. */
    readonly discovery?: { readonly kind: string, readonly state: string, readonly age_s: number | null, readonly problem?: string }
  }[]
  readonly agents: readonly {
    readonly id: string
    readonly state: string
    readonly managed: boolean
    readonly pid: number | null
    readonly restarts: number
    readonly failure_mode: string
    readonly mode: string
    /** What is wrong, when something is. */
    readonly problem?: string
    /** Digest of its configuration that is active; absent before there is one. */
    readonly config_version?: string
    /** What the agent says of itself, all its processes together; absent when it says nothing. */
    readonly health?: 'serving' | 'degraded' | 'draining'
    readonly health_detail?: string
    readonly load?: {
      readonly processes: number
      readonly open_exchanges: number
      readonly queued: number
      readonly answered: number
      readonly failed: number
      readonly mean_ms: number | null
    }
  }[]
  readonly evidence?: {
    readonly file: string
    readonly records: number
    readonly dropped: number
    readonly failing: boolean
    /** Hash of the newest record. */
    readonly head: string
  }
}

export interface TargetJson {
  readonly name: string
  /** Whether it is asked. */
  readonly up: boolean
  /** Why it is not: "down" (checks), "ejected" (outlier detection), "open" (circuit breaker), "drained" (the operator). */
  readonly reasons: readonly string[]
  /** That it has now, streams and tunnels among them. */
  readonly exchanges: number
  readonly connections: number
  /** ISO time of the last change, or since when it is known. */
  readonly since: string
  /** What the last change was about. */
  readonly why?: string
  /** State of its circuit breaker, when it has one. */
  readonly breaker?: string
  /** What checks say; absent when there are none, or none was made. */
  readonly healthy?: boolean
  /** It gets half its share. */
  readonly degraded?: boolean
}
